/**
 * The stand-in as a process of its own: npm run stand-in -- --port 2113
 *   --host H --file F [--flush] --seed N --control-port N --user name:password (may repeat) --tls F (the certificate is written to F)
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificate } from './certificate.js';
import { startControl } from './control.js';
import { startStandIn } from './index.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '2113' },
    host: { type: 'string', default: '127.0.0.1' },
    file: { type: 'string' },
    flush: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    'control-port': { type: 'string', default: '0' },
    user: { type: 'string', multiple: true },
    tls: { type: 'string' },
  },
});

const { host, file, flush } = values;
const tls = values.tls === undefined ? undefined : makeCertificate(host);
if (values.tls !== undefined && tls !== undefined) writeFileSync(values.tls, tls.certificate);
const users = values.user && Object.fromEntries(values.user.map((user) => user.split(/:(.*)/s, 2)));
const node = await startStandIn({ port: Number(values.port), host, file, flush, seed: Number(values.seed), users, tls });
const control = await startControl(node, Number(values['control-port']));

const authority = values.tls === undefined ? '' : `&tlsCAFile=${encodeURIComponent(resolve(values.tls))}`;
process.stdout.write(`${node.url}${authority}\nfaults: http://${host}:${control.port}\n`);

const end = () => void Promise.all([control.close(), node.stop()]).then(() => process.exit(0));
process.once('SIGINT', end).once('SIGTERM', end);
// Whoever started it with a channel and is gone wants it no more.
process.once('disconnect', end);

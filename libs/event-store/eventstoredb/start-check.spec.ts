import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../test/support/stand-in/certificate.js';
import { startStandIn, type StandIn, type StandInOptions } from '../../../test/support/stand-in/index.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { openEventStoreDb, type EventStoreDbOptions } from './index.js';

const PASSWORD = 'pass-Zx81-word';
const newFolder = temporaryFolders();
const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

async function start(options: StandInOptions = {}): Promise<StandIn> {
  const node = await startStandIn(options);
  stopping.push(() => node.stop());
  return node;
}

/** What it says when it cannot be opened. */
async function refusal(options: EventStoreDbOptions): Promise<string> {
  const begun = performance.now();
  const error = await openEventStoreDb(options).then(
    () => new Error('it was opened'),
    (reason: Error) => reason,
  );
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(error).toMatchObject({ name: 'EventStoreError', code: 'UNAVAILABLE' });
  expect(error.message).not.toContain('\n');
  expect(error.message).not.toContain(PASSWORD);
  return error.message;
}

async function secureNode(): Promise<{ node: StandIn; address: string }> {
  const certificate = makeCertificate('127.0.0.1');
  const file = join(newFolder(), 'authority.pem');
  writeFileSync(file, certificate.certificate);
  const node = await start({ tls: certificate, users: { ledger: PASSWORD } });
  return { node, address: `127.0.0.1:${node.port}?tls=true&tlsCAFile=${encodeURIComponent(file)}` };
}

describe('at the start', () => {
  it('nobody at the address is told as such', async () => {
    expect(await refusal({ url: 'esdb://127.0.0.1:9?tls=false' })).toMatch(/at 127\.0\.0\.1:9 cannot be used: .*ECONNREFUSED/);
    expect(await refusal({ url: 'esdb://127.0.0.1:9,127.0.0.1:10?tls=false&maxDiscoverAttempts=2' })).toMatch(
      /at 127\.0\.0\.1:9,127\.0\.0\.1:10 cannot be used: Failed to discover/,
    );
  });

  it('somebody who does not answer is not waited for', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    stopping.push(async () => silent.close());
    const url = `esdb://127.0.0.1:${(silent.address() as AddressInfo).port}?tls=false`;
    expect(await refusal({ url, deadlineMs: 500 })).toMatch(/cannot be used|did not answer/);
  });

  it('a wrong password, a wrong user and none are told as such', async () => {
    const { address } = await secureNode();
    for (const user of ['ledger:wrong@', `nobody:${PASSWORD}@`, '']) {
      expect(await refusal({ url: `esdb://${user}${address}` })).toMatch(/refuses access: check user and password/);
    }
    const store = await openEventStoreDb({ url: `esdb://ledger:${PASSWORD}@${address}` });
    await store.close();
  });

  it('a node with TLS without tls=true, and one without TLS with it, are told as such', async () => {
    const { node } = await secureNode();
    expect(await refusal({ url: `esdb://127.0.0.1:${node.port}?tls=false` })).toMatch(/cannot be used/);
    const plain = await start();
    expect(await refusal({ url: `esdb://127.0.0.1:${plain.port}?tls=true` })).toMatch(/cannot be used/);
  });

  it('a follower and a read-only replica are told as such, unless they lead to the leader', async () => {
    const alone = await start({ role: 'readOnlyReplica' });
    expect(await refusal({ url: alone.url })).toMatch(
      /takes no writes: it is a follower or a read-only replica, and it knows no leader/,
    );
    const lost = await start({ role: 'follower', leader: { host: '127.0.0.1', port: 9 } });
    expect(await refusal({ url: lost.url })).toMatch(/cannot be used|takes no writes/);
    const leader = await start();
    const follower = await start({ role: 'follower', leader: { host: leader.host, port: leader.port } });
    const store = await openEventStoreDb({ url: follower.url });
    await store.close();
  });

  it.each([
    ['ahead of', -60_000],
    ['behind', 60_000],
  ])('a clock that is %s the store’s is told with the difference', async (how, skewMs) => {
    const node = await start();
    node.faults.clockSkewMs = skewMs;
    expect(await refusal({ url: node.url })).toMatch(new RegExp(`is (59\\.9|60\\.\\d) s ${how} that of the event store`));
    node.faults.clockSkewMs = Math.sign(skewMs) * 2_000;
    const store = await openEventStoreDb({ url: node.url });
    await store.close();
  });

  it('leaves one event for all starts, outside of what a ledger follows', async () => {
    const node = await start();
    for (let count = 0; count < 3; count += 1) await (await openEventStoreDb({ url: node.url, streamPrefix: 'test-' })).close();
    const store = await openEventStoreDb({ url: node.url, check: false });
    expect(await store.readStream('test-startchecks', { limit: 10 })).toHaveLength(1);
    await store.close();
  });
});

/** The server as a process. */
import { configFromEnvironment } from '#runtime';
import { isLoopback, serverEnvironment } from './environment.js';
import { createLogger } from './logging.js';
import { createServer, type LedgerServer } from './server.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

async function main(): Promise<void> {
  const { port, host, logLevel } = serverEnvironment(process.env);
  const logger = createLogger(logLevel);
  const server = await createServer({ ledger: configFromEnvironment(process.env), logger, measureProcess: true });
  const address = await listen(server, port, host);
  const stop = onceStopped(server);
  for (const signal of SIGNALS) process.once(signal, stop);
  if (!isLoopback(host)) logger.warn({ host }, 'there are no API keys: everybody who can reach this address may do everything');
  process.stdout.write(`binding ledger: ${address}  (documentation: ${address}/docs)\n`);
}

async function listen(server: LedgerServer, port: number, host: string): Promise<string> {
  try {
    return await server.listen(port, host);
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** A second signal ends the process at once, as it would without us. */
function onceStopped(server: LedgerServer): (signal: NodeJS.Signals) => void {
  let stopping: Promise<void> | undefined;
  return (signal) => {
    if (stopping !== undefined) return;
    process.stdout.write(`binding ledger: ${signal}: finishing what was accepted; a second one ends it at once\n`);
    stopping = server.close().then(() => void process.stdout.write('binding ledger: stopped\n'), fail);
  };
}

/** What keeps it from running is said in one line. */
function fail(error: unknown): void {
  process.stderr.write(`binding ledger: ${sentenceOf(error)}\n`);
  process.exitCode = 1;
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE') return `port ${port} on ${address} is in use: set PORT to another one`;
  if (code === 'EACCES' && port !== undefined) return `port ${port} may not be used by this user: set PORT to another one`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `HOST ${JSON.stringify(process.env['HOST'])} is no address of this machine`;
  return error.message.split('\n', 1)[0] ?? 'unknown error';
}

await main().catch(fail);

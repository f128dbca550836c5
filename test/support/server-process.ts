/** The built server as a process of its own, which can be killed and started again at the same address. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../dist/apps/server/src/main.js');
/** As `npm start` bounds it. */
const MEMORY = ['--max-old-space-size=400', '--max-semi-space-size=8'];

export class ServerProcess {
  #child: ChildProcess | undefined;
  #url = '';

  constructor(private readonly folder: string) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: build first (npm run build)`);
  }

  get url(): string {
    return this.#url;
  }

  /** Starts it; the second time and later on the port that it had before. */
  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    const child = spawn(process.execPath, [...MEMORY, MAIN], {
      env: { ...process.env, PORT: port, HOST: '127.0.0.1', LEDGER_DATA: this.folder, LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#url = await new Promise((resolve, reject) => {
      let [said, complained] = ['', ''];
      child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()));
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const address = /http:\/\/[\d.]+:\d+/.exec(said)?.[0];
        if (address !== undefined) resolve(address);
      });
      child.once('exit', (code, signal) => reject(new Error(`the server ended (${code ?? signal}): ${complained}`)));
    });
  }

  /** Ends it as no program can prepare for, or in order. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Bytes that it has in memory, and how long its event loop was held up since this was asked before. */
  async measure(): Promise<{ residentBytes: number; longestBlockMs: number }> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
    return {
      residentBytes: metric('process_resident_memory_bytes'),
      longestBlockMs: metric('nodejs_eventloop_lag_max_seconds') * 1_000,
    };
  }
}

/** Instances of the ledger as processes of their own, on an event store and a database that they share. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Command, LedgerName } from '#domain';
import { openLedger, type LedgerConfig, type OpenedLedger } from '#runtime';
import { Transpiled } from '../transpiled.js';

/** Does jobs that come as lines, one after the other, and says what became of them. */
const PROGRAM = `
import { createInterface } from 'node:readline';
import { openLedger } from '#runtime';

const opened = await openLedger({ ...JSON.parse(process.argv[2]), threads: 'none' });
process.stdout.write('{"ready":true}\\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { ledger, commands, atOnce } = JSON.parse(line);
  const context = { actor: 'instance', correlationId: 'instances' };
  const outcomes = [];
  for (let start = 0; start < commands.length; start += atOnce) {
    let requests = commands.slice(start, start + atOnce).map((command) => ({ command, context }));
    const places = requests.map((_, index) => start + index);
    // What was not done because too many wanted to write at once is asked again, as any client does.
    while (requests.length > 0) {
      const busy = [];
      const results = await opened.ledger.executeAllInTurn(ledger, requests);
      for (const [index, result] of results.entries()) {
        if (result.refused === 'BUSY') busy.push([requests[index], places[index]]);
        else outcomes[places[index]] = result.refused ?? result.outcome;
      }
      requests = busy.map(([request]) => request);
      places.splice(0, Infinity, ...busy.map(([, place]) => place));
    }
  }
  process.stdout.write(JSON.stringify({ outcomes }) + '\\n');
}
await opened.close();
`;

export type InstanceConfig = Pick<LedgerConfig, 'eventStoreUrl' | 'mongodbUrl' | 'streamPrefix'>;

export class InstanceProgram {
  private readonly transpiled = new Transpiled(['libs/runtime/src/index.ts']);
  private readonly path = this.transpiled.write('instance.mjs', PROGRAM);
  private readonly started: Instance[] = [];

  async start(config: InstanceConfig): Promise<Instance> {
    const instance = new Instance(
      spawn(process.execPath, [this.path, JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'pipe'] }),
    );
    this.started.push(instance);
    await instance.said();
    return instance;
  }

  async remove(): Promise<void> {
    for (const instance of this.started) await instance.kill();
    this.transpiled.remove();
  }
}

export class Instance {
  private readonly lines: AsyncIterator<string>;
  private complained = '';

  constructor(private readonly child: ChildProcess) {
    this.lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    child.stderr?.on('data', (chunk: Buffer) => (this.complained += chunk.toString()));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Does commands of one ledger, so many at a time; what became of each. */
  async execute(ledger: LedgerName, commands: readonly Command[], atOnce = 500): Promise<string[]> {
    this.child.stdin?.write(`${JSON.stringify({ ledger, commands, atOnce })}\n`);
    return (await this.said())['outcomes'] as string[];
  }

  async said(): Promise<Record<string, unknown>> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the instance ended: ${this.complained}`);
    return JSON.parse(value) as Record<string, unknown>;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.stdin?.end();
    await gone;
  }
}

/** An instance in this process, with shops and their products in its catalog. */
export async function openWithCatalog(config: InstanceConfig, backends: readonly string[]): Promise<OpenedLedger> {
  const opened = await openLedger({ ...config, threads: 'none' });
  const context = { actor: 'admin', correlationId: 'set-up' };
  const answers = [await opened.catalog.defineType({ type: 'shop' }, context)];
  answers.push(
    (await opened.catalog.defineModel(
      { model: 'shop.product', backendType: 'shop', localModel: 'product' },
      context,
    )) as (typeof answers)[0],
  );
  for (const id of backends) {
    const location = `https://${id}.example.org`;
    answers.push((await opened.backends.register({ id, type: 'shop', location }, context)) as (typeof answers)[0]);
  }
  for (const answer of answers) if ('refused' in answer) throw new Error(`${String(answer.refused)}: ${String(answer.detail)}`);
  return opened;
}

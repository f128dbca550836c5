/** The sync jobs of the demonstration, written as a job would be: against the client, with nothing of the ledger's inside. */
import type { BindCommand, BindingLedgerClient, CommandResult, Ledger } from '#client';
import type { CodedRecord } from './world.js';

export interface Tally {
  sent: number;
  /** How many commands came to what: outcomes, and codes of refusals. */
  results: Map<string, number>;
  /** The first refusals, in words. */
  refusals: string[];
  tookMs: number;
}

const SHOWN_REFUSALS = 3;

export interface System {
  backend: string;
  type: string;
  model: string;
  localModel: string;
  location: string;
}

export async function setUp(client: BindingLedgerClient, systems: readonly System[]): Promise<void> {
  for (const { backend, type, model, localModel, location } of systems) {
    await client.backendTypes.put(type, { label: type });
    await client.models.put(model, { backendType: type, localModel });
    await client.backends.register({ id: backend, type, location });
  }
}

/** Binds every record that the system has a code for, dated as of one run of the job. */
export async function syncAll(ledger: Ledger, system: string, records: readonly CodedRecord[], syncDate: string): Promise<Tally> {
  return tally(ledger, bindings(system, records, syncDate));
}

/** The same from several workers at once, each of which meets the records in an order of its own. */
export async function syncFromWorkers(
  ledger: Ledger,
  system: string,
  records: readonly CodedRecord[],
  syncDate: string,
  workers: number,
): Promise<Tally> {
  const started = performance.now();
  const tallies = await Promise.all(
    Array.from({ length: workers }, (_, worker) => {
      const start = Math.floor((records.length * worker) / workers);
      return syncAll(ledger, system, [...records.slice(start), ...records.slice(0, start)], syncDate);
    }),
  );
  const results = new Map<string, number>();
  for (const each of tallies) for (const [result, count] of each.results) results.set(result, (results.get(result) ?? 0) + count);
  const sent = tallies.reduce((sum, each) => sum + each.sent, 0);
  return {
    sent,
    results,
    refusals: tallies.flatMap((each) => each.refusals).slice(0, SHOWN_REFUSALS),
    tookMs: performance.now() - started,
  };
}

function* bindings(system: string, records: readonly CodedRecord[], syncDate: string): Generator<BindCommand> {
  for (const { recordId, name, codes } of records) {
    const externalId = codes[system];
    if (externalId !== undefined) yield { op: 'bind', recordId, externalId, syncDate, data: { name }, direction: 'import' };
  }
}

/** Dated binds are harmless when repeated, so they need no idempotency keys. */
async function tally(ledger: Ledger, commands: Iterable<BindCommand>): Promise<Tally> {
  const started = performance.now();
  const done: Tally = { sent: 0, results: new Map(), refusals: [], tookMs: 0 };
  for await (const result of ledger.commands(commands, { keys: false })) count(done, result);
  done.tookMs = performance.now() - started;
  return done;
}

function count(done: Tally, result: CommandResult<BindCommand>): void {
  const { error, command } = result;
  const name = error === undefined ? result.outcome : error.code;
  done.sent += 1;
  done.results.set(name, (done.results.get(name) ?? 0) + 1);
  if (error === undefined || done.refusals.length >= SHOWN_REFUSALS) return;
  done.refusals.push(`record ${String(command.recordId)}: ${error.detail}`);
}

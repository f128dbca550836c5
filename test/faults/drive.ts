/** Drives the real writer and projector, on a node that goes wrong, and says what was not as it must be. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRefusal, type Command, type LedgerName, type RecordedLedgerEvent } from '#domain';
import { openEventStoreDb } from '#event-store/eventstoredb';
import { canonicalJson, readLedgerEvent, type LocatedAnswer } from '#ledger';
import { openSqliteReadModel } from '#read-model/sqlite';
import { openLedger, type OpenedLedger } from '#runtime';
import { openSqliteVault } from '#vault/sqlite';
import { problemsOfStream } from '../model/checks/stream.js';
import { Truth } from '../model/truth.js';
import type { Fault, StandIn } from '../support/stand-in/index.js';
import { randomCommand, randomOf } from './commands.js';

const ACTOR = 'faults';
const CLIENTS = 6;
const MAX_GROUP = 4;
/** A fault that did not happen in so many times the commands does not happen at all. */
const MOST = 10;
const SYSTEM = { actor: ACTOR, correlationId: 'set-up' };
const LEDGER: LedgerName = { backend: 'shop', model: 'shop.product' };
/** Answers after which the same command, with its key, is sent again. */
const PASSING = new Set(['OUTCOME_UNKNOWN', 'STORE_UNAVAILABLE', 'BUSY', 'NOT_YET_PROJECTED']);

export interface Driven {
  commands: number;
  /** How often an outcome was unknown, or the store was away. */
  unknown: number;
  away: number;
  events: number;
  problems: string[];
}

interface Sent {
  command: Command;
  /** Correlation ids of the attempts that were answered as not written. */
  denied: string[];
  answer?: LocatedAnswer;
}

/** Times are short, so that a call that is never answered costs little. */
async function open(node: StandIn): Promise<OpenedLedger> {
  const store = await openEventStoreDb({ url: node.url, deadlineMs: 300, silenceMs: 150, check: false });
  const [readModel, vault] = [await openSqliteReadModel({ memory: true }), await openSqliteVault({ folder: ':memory:' })];
  const opened = await openLedger({ stores: { store, readModel, vault }, limits: { commandTimeoutMs: 500 } });
  await opened.catalog.defineType({ type: 'shop' }, SYSTEM);
  await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, SYSTEM);
  await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example' }, SYSTEM);
  return opened;
}

/**
 * `disturb` switches faults on, once the ledger can be written to, and answers one that must have happened before the commands
 * end; `meanwhile` is called after every group of commands.
 */
export async function drive(
  node: StandIn,
  seed: number,
  commands: number,
  disturb: () => Fault | undefined,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<Driven> {
  const opened = await open(node);
  try {
    const fault = disturb();
    const isOver = (sent: number) => sent >= commands && (fault === undefined || fault.hits > 0 || sent > MOST * commands);
    const driver = new Driver(opened, randomOf(seed), isOver, meanwhile);
    await Promise.all(Array.from({ length: CLIENTS }, () => driver.run()));
    node.faults.clear();
    const { sent, unknown, away } = driver;
    const events = await streamOf(opened);
    const problems = [...problemsOfAnswers(sent, events), ...problemsOfStream(new Truth(events))];
    problems.push(...(await problemsOfReadModel(opened, new Truth(events))));
    return { commands: sent.length, unknown, away, events: events.length, problems };
  } finally {
    await opened.close();
  }
}

class Driver {
  readonly sent: Sent[] = [];
  unknown = 0;
  away = 0;
  private attempts = 0;

  constructor(
    private readonly opened: OpenedLedger,
    private readonly random: () => number,
    private readonly isOver: (sent: number) => boolean,
    private readonly meanwhile: () => Promise<void>,
  ) {}

  async run(): Promise<void> {
    while (!this.isOver(this.sent.length)) {
      const group = Array.from({ length: 1 + Math.floor(this.random() * MAX_GROUP) }, (): Sent => {
        const sent: Sent = { command: randomCommand(this.random, `k${this.sent.length}`), denied: [] };
        this.sent.push(sent);
        return sent;
      });
      for (let left = group; left.length > 0;) {
        left = await this.attempt(left);
        if (left.length > 0) await sleep(5 + this.random() * 20);
      }
      await this.meanwhile();
    }
  }

  /** Sends commands, and answers those whose outcome is open. */
  private async attempt(group: Sent[]): Promise<Sent[]> {
    const tries = group.map((sent) => ({ sent, correlationId: `try-${(this.attempts += 1)}` }));
    const requests = tries.map(({ sent, correlationId }) => ({
      command: sent.command,
      context: { actor: ACTOR, correlationId },
    }));
    const results = await this.opened.ledger.executeAll(LEDGER, requests);
    return tries.flatMap(({ sent, correlationId }, index) => {
      const result = results[index];
      if (result === undefined) throw new Error('a command was not answered');
      if (!isRefusal(result)) sent.answer = result;
      else if (result.refused === 'OUTCOME_UNKNOWN') this.unknown += 1;
      else {
        sent.denied.push(correlationId);
        if (result.refused === 'STORE_UNAVAILABLE') this.away += 1;
      }
      return isRefusal(result) && PASSING.has(result.refused) ? [sent] : [];
    });
  }
}

async function streamOf({ store, streams }: OpenedLedger): Promise<RecordedLedgerEvent[]> {
  const events: RecordedLedgerEvent[] = [];
  for (;;) {
    const page = await store
      .readStream(streams.ledger(LEDGER), { after: events.length - 1, limit: 1_000 })
      .catch(() => undefined);
    // The last of the faults may have cut the connection a moment ago.
    if (page === undefined) continue;
    events.push(...page.map(readLedgerEvent));
    if (page.length === 0) return events;
  }
}

/** No acknowledged command lost, none applied twice, nothing written by an attempt that was answered as not written. */
function problemsOfAnswers(sent: readonly Sent[], events: readonly RecordedLedgerEvent[]): string[] {
  const byKey = new Map<string, RecordedLedgerEvent[]>();
  for (const event of events) {
    const key = event.metadata.idempotency?.key;
    if (key !== undefined) byKey.set(key, [...(byKey.get(key) ?? []), event]);
  }
  return sent.flatMap(({ command, answer, denied }) => {
    const written = byKey.get(command.key as string) ?? [];
    const problems: string[] = [];
    if (written.length > 1) problems.push(`${command.key} was applied ${written.length} times`);
    const writer = written[0]?.metadata.correlationId;
    for (const attempt of denied)
      if (attempt === writer) problems.push(`${command.key}: ${attempt} was answered as not written, and was`);
    if (answer === undefined && written.length > 0) problems.push(`${command.key} was refused, and written`);
    const wrote = answer !== undefined && answer.outcome !== 'unchanged' && answer.outcome !== 'taken';
    if (wrote && written[0]?.revision !== answer.revision) {
      problems.push(
        `${command.key} was acknowledged as ${answer.outcome} at ${answer.revision}, and stands at ${written[0]?.revision}`,
      );
    }
    return problems;
  });
}

/** When everything is applied, the read model is the fold of the stream. */
async function problemsOfReadModel({ readModel, health }: OpenedLedger, truth: Truth): Promise<string[]> {
  const moment = truth.at(truth.head);
  const reached = async () => (await readModel.ledgerDocument(LEDGER))?.checkpoint === truth.head;
  for (let looks = 0; !(await reached()); looks += 1) {
    if (looks === 1_500) return [`the read model does not reach ${truth.head}: ${(await health()).reasons.join('; ')}`];
    await sleep(20);
  }
  const bindingIds = [...moment.bindings.keys()];
  const { document, bindings } = await readModel.readForDecision(LEDGER, {
    recordIds: [],
    externalIds: [],
    bindingIds,
    scopedKeys: [],
  });
  const problems: string[] = [];
  if (document?.hash !== moment.hash) problems.push('the read model has another hash than the stream');
  if (canonicalJson(document?.state) !== canonicalJson(moment.state))
    problems.push('the read model has another state than the stream');
  const inOrder = (all: Iterable<{ id: string }>) => canonicalJson([...all].toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  if (inOrder(bindings) !== inOrder(moment.bindings.values())) problems.push('the read model has other bindings than the stream');
  return problems;
}

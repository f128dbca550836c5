/** Ledgers that keep everything in the event store and nothing else: a stand-in for the ledgers' writers. */
import { randomUUID } from 'node:crypto';
import {
  LedgerView,
  UNOPENED,
  decide,
  isRefusal,
  statusOf,
  type Command,
  type ControlEvent,
  type Decision,
  type LedgerEvent,
  type LedgerName,
  type LedgerState,
  type LedgerStatus,
  type OpeningRules,
  type RecordedLedgerEvent,
  type Refusal,
  type RequestContext,
} from '#domain';
import { MAX_PAGE_EVENTS, type EventStore } from '#event-store';
import {
  chainEvent,
  metadataOf,
  readLedgerEvent,
  toNewEvent,
  type JsonSchemas,
  type LedgerAmender,
  type LedgerPoint,
  type StreamNames,
} from '#ledger';

const MAX_TURNS = 100;

/** What the control plane gives the ledgers. */
export interface Openings {
  schemas: JsonSchemas;
  backends: { registerLedger(ledger: LedgerName, context: RequestContext): Promise<OpeningRules | Refusal> };
}

interface Replayed {
  view: LedgerView;
  revision: number;
  hash: string;
  at: string;
}

export class StreamLedgers implements LedgerAmender {
  /** Called before each append of an amendment: a test may let somebody else be ahead. */
  beforeAmendment: (ledger: LedgerName) => Promise<void> = async () => undefined;

  constructor(
    private readonly store: EventStore,
    private readonly streams: StreamNames,
  ) {}

  async amend(
    ledger: LedgerName,
    amend: (at: LedgerPoint) => Promise<ControlEvent[] | Refusal>,
    context: RequestContext,
  ): Promise<{ revision: number } | Refusal> {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const replayed = await this.replay(ledger);
      const events = await amend({ state: replayed.view.state, revision: replayed.revision });
      if (isRefusal(events)) return events;
      await this.beforeAmendment(ledger);
      if (await this.append(ledger, replayed, events, context)) return { revision: replayed.revision + events.length };
    }
    throw new Error('An amendment never came through');
  }

  /** Does a command as a ledger's writer would. */
  async run(ledger: LedgerName, command: Command, plane: Openings, context: RequestContext): Promise<Decision | Refusal> {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const replayed = await this.replay(ledger);
      if (!replayed.view.state.opened) {
        const opening = await plane.backends.registerLedger(ledger, context);
        if (isRefusal(opening)) return opening;
        await this.append(ledger, replayed, [{ type: 'LedgerOpened', data: { ...opening } }], context);
        continue;
      }
      const at = new Date().toISOString();
      const decision = decide(replayed.view, command, { at, newId: randomUUID, problemsOf: plane.schemas.problemsOfData });
      if (isRefusal(decision) || (await this.append(ledger, replayed, decision.events, context))) return decision;
    }
    throw new Error('A command never came through');
  }

  async state(ledger: LedgerName): Promise<LedgerState> {
    return (await this.replay(ledger)).view.state;
  }

  async status(ledger: LedgerName): Promise<LedgerStatus> {
    return statusOf(await this.state(ledger));
  }

  async events(ledger: LedgerName): Promise<RecordedLedgerEvent[]> {
    const page = await this.store.readStream(this.streams.ledger(ledger), { limit: MAX_PAGE_EVENTS });
    return page.map(readLedgerEvent);
  }

  /** @throws when the events do not follow on each other. */
  private async replay(ledger: LedgerName): Promise<Replayed> {
    const replayed: Replayed = { view: new LedgerView(UNOPENED), revision: -1, hash: '', at: '' };
    for (const event of await this.events(ledger)) {
      const { at, hash } = event.metadata;
      replayed.view.apply(event, { revision: event.revision, at });
      Object.assign(replayed, { revision: event.revision, hash, at });
    }
    return replayed;
  }

  private async append(
    ledger: LedgerName,
    { revision, hash }: Replayed,
    events: readonly LedgerEvent[],
    context: RequestContext,
  ): Promise<boolean> {
    const stream = this.streams.ledger(ledger);
    if (events.length === 0) return (await this.store.headRevision(stream)) === revision;
    const recorded: RecordedLedgerEvent[] = [];
    for (const event of events) {
      const last = recorded.at(-1);
      const metadata = metadataOf(context, new Date().toISOString());
      recorded.push(chainEvent(last?.metadata.hash ?? hash, (last?.revision ?? revision) + 1, randomUUID(), event, metadata));
    }
    return (await this.store.append(stream, revision, recorded.map(toNewEvent))).ok;
  }
}

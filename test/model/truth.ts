/** What was true at each revision of a ledger: its whole stream folded, with nothing of a writer, a tail or a read model. */
import {
  evolve,
  evolveLedger,
  idempotencyRecordOf,
  isBindingEvent,
  isLive,
  LedgerView,
  stampOf,
  UNOPENED,
  type Binding,
  type IdempotencyRecord,
  type LedgerState,
  type RecordedLedgerEvent,
} from '#domain';

export interface Moment {
  revision: number;
  state: LedgerState;
  bindings: ReadonlyMap<string, Binding>;
  keys: ReadonlyMap<string, IdempotencyRecord>;
  /** Recorded time and hash of the event at this revision. */
  at: string;
  hash: string;
}

const BEFORE_ALL: Moment = { revision: -1, state: UNOPENED, bindings: new Map(), keys: new Map(), at: '', hash: '' };

export class Truth {
  private readonly moments: Moment[] = [BEFORE_ALL];

  constructor(readonly events: readonly RecordedLedgerEvent[]) {
    for (const event of events) this.moments.push(after(this.at(event.revision - 1), event));
  }

  get head(): number {
    return this.moments.length - 2;
  }

  at(revision: number): Moment {
    const moment = this.moments[revision + 1];
    if (moment === undefined) throw new Error(`there is no revision ${revision}: the stream ends at ${this.head}`);
    return moment;
  }

  /** The newest revision from `from` to `to` of which something holds. */
  newest(from: number, to: number, holds: (moment: Moment) => boolean): number | undefined {
    for (let revision = to; revision >= from; revision -= 1) if (holds(this.at(revision))) return revision;
    return undefined;
  }

  /** The oldest one. */
  oldest(from: number, to: number, holds: (moment: Moment) => boolean): number | undefined {
    for (let revision = from; revision <= to; revision += 1) if (holds(this.at(revision))) return revision;
    return undefined;
  }
}

function after(before: Moment, event: RecordedLedgerEvent): Moment {
  const { revision, metadata } = event;
  const moment = { ...before, revision, state: evolveLedger(before.state, event), at: metadata.at, hash: metadata.hash };
  if (!isBindingEvent(event)) return moment;
  const bindings = new Map(before.bindings);
  bindings.set(event.data.bindingId, evolve(bindings.get(event.data.bindingId), event, stampOf(event)));
  if (metadata.idempotency === undefined) return { ...moment, bindings };
  const record = idempotencyRecordOf(event, stampOf(event), metadata.actor, metadata.idempotency);
  return { ...moment, bindings, keys: new Map(before.keys).set(record.scopedKey, record) };
}

export function live({ bindings }: Moment): Binding[] {
  return [...bindings.values()].filter(isLive);
}

/** The whole ledger to decide over, as it was at a moment. */
export function viewAt({ state, bindings, keys }: Moment): LedgerView {
  return new LedgerView(state, bindings.values(), keys.values());
}

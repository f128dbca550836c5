/** A ledger in memory whose events are folded into batches and applied to a read model, beside the truth to compare with. */
import { randomUUID } from 'node:crypto';
import {
  LedgerView,
  UNOPENED,
  decide,
  evolve,
  isBindingEvent,
  isRefusal,
  updateOf,
  type Binding,
  type Command,
  type IdempotencyRecord,
  type LedgerEvent,
  type LedgerName,
  type LedgerRules,
  type Refusal,
  type Stamp,
} from '#domain';
import {
  historyRowOf,
  type ApplyResult,
  type BindingWrite,
  type HistoryRow,
  type LedgerBatch,
  type ReadModel,
} from '#read-model';

/** What applies batches and what answers; the same read model, or two that share their documents. */
export interface Stores {
  write: ReadModel;
  read: ReadModel;
}

export const RULES: LedgerRules = { localModel: null, cardinality: 'one', dataSchema: null, indexes: [] };
const START_MS = Date.parse('2026-03-03T09:00:00.000Z');

/** A name that no other case uses, whatever else the store holds. */
export function newName(prefix = 'shop'): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}

export function secondsAfterStart(seconds: number): string {
  return new Date(START_MS + seconds * 1_000).toISOString();
}

export class AppliedLedger {
  readonly view = new LedgerView(UNOPENED);
  /** Every binding that ever was, as its events make it. */
  readonly bindings = new Map<string, Binding>();
  /** The time of the next events. */
  at = secondsAfterStart(0);
  /** All events, each at the index of its revision. */
  readonly events: { event: LedgerEvent; stamp: Stamp }[] = [];
  private pending: { event: LedgerEvent; stamp: Stamp }[] = [];
  private records: IdempotencyRecord[] = [];
  private checkpoint = -1;

  private constructor(
    private readonly stores: Stores,
    readonly name: LedgerName,
    readonly generation: string,
  ) {}

  static async open(stores: Stores, rules: Partial<LedgerRules> = {}, name: Partial<LedgerName> = {}): Promise<AppliedLedger> {
    const ledgerName = { backend: newName(), model: 'shop.product', ...name };
    const { generation } = await stores.write.openLedger(ledgerName);
    const ledger = new AppliedLedger(stores, ledgerName, generation);
    ledger.record({ type: 'LedgerOpened', data: { rules: { ...RULES, ...rules } } });
    return ledger;
  }

  get revision(): number {
    return this.checkpoint + this.pending.length;
  }

  /** Decides a command; its events wait for the next batch. */
  run(command: Command): Binding | Refusal | null {
    const decision = decide(this.view, command, { at: this.at, newId: randomUUID, problemsOf: () => [] });
    if (isRefusal(decision)) return decision;
    for (const event of decision.events) this.record(event, command.reason);
    return decision.bindingId === null ? null : (this.view.binding(decision.bindingId) as Binding);
  }

  /** As `run`, where anything but a binding would be a mistake of the case. */
  do(command: Command): Binding {
    const result = this.run(command);
    if (result === null || isRefusal(result)) throw new Error(`the command has no binding: ${JSON.stringify(result)}`);
    return result;
  }

  bind(recordId: string, externalId?: string, more: { syncDate?: string | null; data?: Binding['data'] } = {}): Binding {
    return this.do({ op: 'bind', recordId, externalId, ...more });
  }

  changeRules(rules: Partial<LedgerRules>): void {
    this.record({ type: 'LedgerRulesChanged', data: { rules: { ...this.view.state.rules, ...rules } } });
  }

  record(event: LedgerEvent, reason?: string): void {
    const stamp: Stamp = { revision: this.revision + 1, at: this.at, ...(reason === undefined ? {} : { reason }) };
    this.view.apply(event, stamp);
    if (isBindingEvent(event)) {
      this.bindings.set(event.data.bindingId, evolve(this.bindings.get(event.data.bindingId), event, stamp));
    }
    this.pending.push({ event, stamp });
    this.events.push({ event, stamp });
  }

  remember(record: IdempotencyRecord): void {
    this.records.push(record);
  }

  /** What waits, folded into one batch, which is taken for applied. */
  takeBatch(): LedgerBatch {
    const writes = new Map<string, BindingWrite>();
    const history: HistoryRow[] = [];
    for (const { event, stamp } of this.pending) {
      if (!isBindingEvent(event)) continue;
      const update = updateOf(event, stamp);
      const earlier = writes.get(update.id);
      const createdRevision = event.type === 'BindingCreated' ? stamp.revision : earlier?.createdRevision;
      writes.set(update.id, { createdRevision, update: { ...earlier?.update, ...update } });
      const row = historyRowOf(event, stamp.revision);
      if (row !== undefined) history.push(row);
    }
    const { checkpoint, revision, name, generation, at, records } = this;
    const batch = { ledger: name, generation, after: checkpoint, to: revision, hash: `hash ${revision}`, at };
    this.checkpoint = revision;
    this.pending = [];
    this.records = [];
    return { ...batch, state: this.view.state, bindings: [...writes.values()], history, idempotency: records };
  }

  /** As if there had been events up to a revision that change no binding. */
  async skipTo(revision: number): Promise<void> {
    const result = await this.stores.write.apply({ ...this.takeBatch(), to: revision });
    if (result !== 'applied') throw new Error(`a batch was ${result}`);
    this.checkpoint = revision;
  }

  async apply(): Promise<void> {
    const result: ApplyResult = await this.stores.write.apply(this.takeBatch());
    if (result !== 'applied') throw new Error(`a batch was ${result}`);
  }

  live(): Binding[] {
    return [...this.bindings.values()].filter(({ state }) => state !== 'unbound');
  }
}

export function byId(bindings: readonly Binding[]): Binding[] {
  return bindings.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

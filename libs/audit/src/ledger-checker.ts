import {
  evolveLedger,
  BINDING_EVENT_TYPES,
  statusOf,
  UNOPENED,
  type BindingEvent,
  type ControlEvent,
  type EventMetadata,
  type LedgerState,
} from '#domain';
import { BindingChecker, type ProblemsOf } from './binding-checker.js';
import { ChainChecker } from './chain-checker.js';
import { instantCheck, problemOfBindingData, problemOfControlData, problemOfMetadata } from './event-form.js';
import type { FoldedBindings } from './folded.js';
import { IdSet } from './id-tables.js';
import type { EventChecker, StoredEvent } from './stored-event.js';

type Recorded<E> = E & { revision: number; metadata: EventMetadata };

interface Kind {
  type: string;
  ofBinding: boolean;
}

const CONTROL_TYPES = ['LedgerOpened', 'LedgerRulesChanged', 'LedgerPaused', 'LedgerResumed', 'LedgerClosed'];
/** By the type as it is read: the text in it is the program's own, which is compared at once. */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ...BINDING_EVENT_TYPES.map((type): [string, Kind] => [type, { type, ofBinding: true }]),
  ...CONTROL_TYPES.map((type): [string, Kind] => [type, { type, ofBinding: false }]),
]);
const isTime = instantCheck();

/**
 * Folds a ledger's events from the first on, and finds the first that does not follow: by the hash chain, or because no ledger
 * could have written it there. Everything that it keeps is in memory.
 */
export class LedgerChecker implements EventChecker {
  /** Recorded time of the last event. */
  at = '';
  /** Its counts are those of the bindings, also between control events. */
  state: LedgerState;
  readonly bindings: FoldedBindings;
  private readonly chain = new ChainChecker();
  private readonly ids: IdSet;
  private goodMetadata: StoredEvent['metadata'] | undefined;
  private readonly checker: BindingChecker;

  /** `expected`: how many there will be, about, so that room is made for them at once. */
  constructor(problemsOf: ProblemsOf, expected: { events: number; bindings: number } = { events: 0, bindings: 0 }) {
    this.ids = new IdSet(expected.events);
    this.checker = new BindingChecker(problemsOf, expected.bindings);
    this.bindings = this.checker.bindings;
    this.state = { ...UNOPENED, counts: this.bindings.counts };
  }

  get revision(): number {
    return this.chain.revision;
  }

  get hash(): string {
    return this.chain.hash;
  }

  check(event: StoredEvent): string | undefined {
    const broken = this.chain.check(event);
    if (broken !== undefined) return broken;
    const kind = KINDS.get(event.type);
    if (kind === undefined) return `its type ${event.type} is not known to this version: verify with a newer one`;
    const { data, metadata } = event;
    const malformed =
      this.problemOfMetadata(metadata) ?? (kind.ofBinding ? problemOfBindingData(kind.type, data) : problemOfControlData(data));
    return malformed ?? this.problemOfPlace(event, kind);
  }

  /** Of one batch, all events have the same object. */
  private problemOfMetadata(metadata: StoredEvent['metadata']): string | undefined {
    if (metadata === this.goodMetadata) return undefined;
    const problem = problemOfMetadata(metadata);
    if (problem === undefined) this.goodMetadata = metadata;
    return problem;
  }

  /** As an event that follows on those before it. */
  private problemOfPlace(event: StoredEvent, { type, ofBinding }: Kind): string | undefined {
    const { id, revision, data } = event;
    const metadata = event.metadata as unknown as EventMetadata;
    const { at } = metadata;
    if (at !== this.at) {
      if (!isTime(at)) return 'its recorded time is no time';
      if (at < this.at) return `its recorded time ${at} is before that of the event before, ${this.at}`;
      this.at = at;
    }
    if (!this.ids.add(id)) return 'its id is that of an earlier event';
    return ofBinding
      ? this.bindingEvent({ type, data, revision, metadata } as unknown as Recorded<BindingEvent>)
      : this.controlEvent({ type, data, revision, metadata } as unknown as Recorded<ControlEvent>);
  }

  private bindingEvent(event: Recorded<BindingEvent>): string | undefined {
    const status = statusOf(this.state);
    if (status !== 'open') return `it changes a binding while the ledger is ${status}`;
    return this.checker.check(event, this.at, this.state.rules);
  }

  private controlEvent(event: Recorded<ControlEvent>): string | undefined {
    if (event.metadata.idempotency !== undefined) return 'it is no command, and has an idempotency record';
    const problem = this.problemOfControl(event);
    if (problem !== undefined) return problem;
    this.state = evolveLedger(this.state, event);
    if (this.state.rules.cardinality === 'one' && this.bindings.recordsWithSeveral > 0)
      return `it allows one binding a record, and ${this.bindings.recordsWithSeveral} records have several`;
    return undefined;
  }

  private problemOfControl({ type, data }: ControlEvent): string | undefined {
    const { state } = this;
    const { backendRevision, modelRevision } = data;
    const rules = 'rules' in data ? data.rules : undefined;
    if (!state.opened && type !== 'LedgerOpened' && type !== 'LedgerClosed') return 'the ledger was not opened before it';
    if (state.opened && !state.closed && type === 'LedgerOpened') return 'the ledger is open already';
    if (rules === undefined && (type === 'LedgerRulesChanged' || !state.opened)) return 'it has no rules';
    if (rules !== undefined && state.opened && rules.localModel !== state.rules.localModel) return 'it changes the local model';
    if (type === 'LedgerClosed' && state.counts.pending + state.counts.bound > 0)
      return 'it closes the ledger over live bindings';
    if (backendRevision !== undefined && backendRevision < state.backendRevision)
      return `it follows from revision ${backendRevision} of the backend, after revision ${state.backendRevision}`;
    if (modelRevision !== undefined && modelRevision < state.modelRevision)
      return `it follows from revision ${modelRevision} of the models, after revision ${state.modelRevision}`;
    return undefined;
  }
}

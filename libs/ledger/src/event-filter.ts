/** Which events of bindings somebody wants to see. */
import type { BindingEvent, BindingEventType, Direction, LedgerName } from '#domain';
import type { EventView } from './located.js';
import type { StreamNames } from './streams.js';

/** What happened to a binding: its identity after the event, what the event changed, and who recorded it where. */
export type BindingEventView = Omit<EventView, keyof BindingEvent['data'] | 'type'> &
  BindingEvent['data'] & { type: BindingEventType };

/** Each member lists values of which one must fit; a member that is absent fits everything. */
export interface EventFilter {
  backend?: readonly string[];
  model?: readonly string[];
  type?: readonly BindingEventType[];
  /** The record after the event, or the one that the binding was moved away from. */
  recordId?: readonly string[];
  cause?: readonly string[];
  direction?: readonly Direction[];
  actor?: readonly string[];
  correlationId?: readonly string[];
}

/** At most this many streams are told apart by the store itself; with more it is asked for all. */
const MAX_PREFIXES = 16;

type Test = (event: BindingEventView) => boolean;

/** A filter that is ready for many events. */
export class EventMatcher {
  /** True when every event fits. */
  readonly all: boolean;
  private readonly backends: ReadonlySet<string> | undefined;
  private readonly models: ReadonlySet<string> | undefined;
  private readonly tests: readonly Test[];

  constructor(private readonly filter: EventFilter = {}) {
    const { backend, model, type, recordId, cause, direction, actor, correlationId } = filter;
    this.backends = backend && new Set(backend);
    this.models = model && new Set(model);
    this.tests = [
      one(type, (event) => event.type),
      ofRecord(recordId),
      one(cause, (event) => event.cause),
      one(direction, (event) => event.direction),
      one(actor, (event) => event.actor),
      one(correlationId, (event) => event.correlationId),
    ].filter((test) => test !== undefined);
    this.all = this.backends === undefined && this.models === undefined && this.tests.length === 0;
  }

  ledger({ backend, model }: LedgerName): boolean {
    return this.backends?.has(backend) !== false && this.models?.has(model) !== false;
  }

  event(event: BindingEventView): boolean {
    return this.ledger(event) && this.tests.every((test) => test(event));
  }

  /** Beginnings of the names of all streams that can have a fitting event. */
  prefixes(streams: StreamNames): string[] {
    const every = `${streams.prefix}ledger-`;
    const { backend = [], model = [''] } = this.filter;
    const named = backend.flatMap((id) => model.map((name) => `${every}${id}/${name}`));
    return named.length === 0 || named.length > MAX_PREFIXES ? [every] : named;
  }
}

function one(wanted: readonly string[] | undefined, value: (event: BindingEventView) => string | undefined): Test | undefined {
  if (wanted === undefined) return undefined;
  const set = new Set<string | undefined>(wanted);
  return (event) => set.has(value(event));
}

function ofRecord(wanted: readonly string[] | undefined): Test | undefined {
  if (wanted === undefined) return undefined;
  const set = new Set<string | undefined>(wanted);
  return (event) => set.has(event.recordId) || set.has(event.previousRecordId);
}

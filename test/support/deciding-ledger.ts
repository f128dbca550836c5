/** A ledger that only decides: commands in, events and answers out, in memory. For tests of the domain. */
import {
  LedgerView,
  UNOPENED,
  decide,
  isRefusal,
  type Answer,
  type Binding,
  type BindingEvent,
  type Circumstances,
  type Command,
  type ControlEvent,
  type LedgerEvent,
  type LedgerRules,
  type Refusal,
  type Stamp,
} from '#domain';
import { bindingIdOf } from './naive-ledger.js';

export interface Recorded<E extends LedgerEvent = LedgerEvent> {
  event: E;
  stamp: Stamp;
}

export interface Done {
  answer: Answer;
  refusal?: undefined;
  events: Recorded<BindingEvent>[];
}
export interface NotDone {
  answer?: undefined;
  refusal: Refusal;
  events: [];
}

export const RULES: LedgerRules = { localModel: 'res.partner', cardinality: 'one', dataSchema: null, indexes: [] };
export const START_MS = Date.parse('2026-03-03T09:00:00.000Z');

export function minutesAfterStart(minutes: number): string {
  return new Date(START_MS + minutes * 60_000).toISOString();
}

/** Ids of bindings are `b1`, `b2`, … in the order of their making. */
export class DecidingLedger {
  readonly history: Recorded[] = [];
  view = new LedgerView(UNOPENED);
  at = minutesAfterStart(0);
  private made = 0;

  constructor(
    rules: Partial<LedgerRules> | null = {},
    private readonly problemsOf: Circumstances['problemsOf'] = () => [],
  ) {
    if (rules !== null) this.control({ type: 'LedgerOpened', data: { rules: { ...RULES, ...rules } } });
  }

  get revision(): number {
    return this.history.length - 1;
  }

  control(event: ControlEvent): void {
    this.apply(event, {});
  }

  /** Decides the command, and applies its events. */
  run(command: Command): Done | NotDone {
    const decision = this.decide(command);
    if (isRefusal(decision)) return { refusal: decision, events: [] };
    const events = decision.events.map((event) => this.apply(event, command));
    const answer: Answer = { outcome: decision.outcome, binding: this.found(decision.bindingId), revision: this.revision };
    if (decision.bindingIds !== undefined) answer.bindings = decision.bindingIds.map((id) => this.found(id) as Binding);
    if (decision.displacedId !== undefined) answer.displaced = this.found(decision.displacedId) as Binding;
    return { answer, events };
  }

  /** As `run`, where a refusal would be a mistake of the test. */
  do(command: Command): Done {
    const result = this.run(command);
    if (result.refusal !== undefined) throw new Error(`refused: ${result.refusal.refused}, ${result.refusal.detail}`);
    return result;
  }

  decide(command: Command) {
    const newId = () => bindingIdOf((this.made += 1));
    return decide(this.view, command, { at: this.at, newId, problemsOf: this.problemsOf });
  }

  private found(id: string | null): Binding | null {
    return (id === null ? undefined : this.view.binding(id)) ?? null;
  }

  private apply<E extends LedgerEvent>(event: E, { reason }: { reason?: string }): Recorded<E> {
    const stamp: Stamp = { revision: this.history.length, at: this.at, ...(reason === undefined ? {} : { reason }) };
    this.view.apply(event, stamp);
    this.history.push({ event, stamp });
    return { event, stamp };
  }
}

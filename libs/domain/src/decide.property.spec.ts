import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { step, type Step } from '../../../test/support/command-arbitraries.js';
import {
  DecidingLedger,
  RULES,
  minutesAfterStart,
  type Done,
  type NotDone,
  type Recorded,
} from '../../../test/support/deciding-ledger.js';
import { bindingIdOf, NaiveLedger, type Row, type Verdict } from '../../../test/support/naive-ledger.js';
import type { Command } from './commands.js';
import { isBindingEvent, updateOf, UNOPENED, type Binding, type BindingEvent, type BindingUpdate } from './ledger.js';
import { LedgerView, type IdempotencyRecord } from './ledger-view.js';
import { idempotencyRecordOf, storeIdempotency } from './recorded.js';
import { isRefusal } from './refusals.js';

const EXTERNAL_IDS = ['e1', 'e2', 'e3', 'e4'];

/** One life of a ledger beside its naive model. Every check throws, with what was asked and what came of it. */
class Life {
  readonly ledger: DecidingLedger;
  readonly model: NaiveLedger;
  readonly seen = new Map<string, number>();
  private readonly kept: { record: IdempotencyRecord; asItWas: string }[] = [];
  private minute = 0;

  constructor(many: boolean) {
    const problems = [{ path: '/bad', message: 'no' }];
    this.ledger = new DecidingLedger({ cardinality: many ? 'many' : 'one' }, (data) => ('bad' in data ? problems : []));
    this.model = new NaiveLedger(many, (data) => !('bad' in data));
  }

  take(next: Step): void {
    this.minute += next.later;
    this.ledger.at = minutesAfterStart(this.minute);
    if ('control' in next) this.steer(next.control);
    else this.ask(next.command(this.minute));
  }

  /** What holds of the whole history. */
  end(): void {
    const { history, view } = this.ledger;
    const rebuilt = new LedgerView(UNOPENED);
    for (const { event, stamp } of JSON.parse(JSON.stringify(history)) as Recorded[]) rebuilt.apply(event, stamp);
    const updates = new Map<string, BindingUpdate>();
    for (const { event, stamp } of history.filter(isOfBinding)) {
      const { bindingId, version } = event.data;
      check((updates.get(bindingId)?.version ?? 0) === version - 1, 'versions have no gaps', event);
      updates.set(bindingId, { ...updates.get(bindingId), ...updateOf(event, stamp) });
    }
    for (const { id } of this.model.rows) {
      check(isDeepStrictEqual(rebuilt.binding(id), view.binding(id)), 'events alone rebuild the view', id);
      check(isDeepStrictEqual(updates.get(id), view.binding(id)), 'events can be applied without what they apply to', id);
    }
    check(isDeepStrictEqual(rebuilt.state, view.state), 'events alone rebuild the state', rebuilt.state);
    for (const externalId of EXTERNAL_IDS) {
      const holders = [...updates.values()].filter((update) => update.state !== 'unbound' && update.externalId === externalId);
      check(
        holders.length <= 1 && holders[0]?.id === view.liveOfExternalId(externalId)?.id,
        'newest events tell the holder',
        externalId,
      );
    }
    for (const { record, asItWas } of this.kept) check(JSON.stringify(record) === asItWas, 'answers stay as they were', record);
  }

  private steer(control: 'pause' | 'resume' | 'close' | 'reopen'): void {
    const type = ({ pause: 'LedgerPaused', resume: 'LedgerResumed', close: 'LedgerClosed' } as const)[control as 'pause'];
    const rules = { ...RULES, cardinality: this.ledger.view.state.rules.cardinality };
    this.ledger.control(control === 'reopen' ? { type: 'LedgerOpened', data: { rules } } : { type, data: {} });
    if (control === 'pause' || control === 'resume') this.model.paused = control === 'pause';
    else this.model.closed = control === 'close';
  }

  private ask(command: Command): void {
    const before = new Map(this.model.rows.map(({ id }) => [id, this.ledger.view.binding(id)]));
    const result = this.ledger.run(command);
    const expected = this.model.tell(command, this.ledger.at);
    this.seen.set(expected.says, (this.seen.get(expected.says) ?? 0) + 1);
    check(isDeepStrictEqual(verdictOf(result), expected), 'the answer is the model’s', { command, expected, result });
    this.compare(command);
    for (const { event } of result.events) checkEvent(event, before.get(event.data.bindingId), command);
    if (result.answer !== undefined) this.checkAnswer(result);
    if (result.answer !== undefined) this.repeat(command);
    if (result.events.length > 0) this.keep(result as Done);
  }

  private compare(command: Command): void {
    const { view } = this.ledger;
    const counts = { pending: 0, bound: 0, unbound: 0 };
    for (const row of this.model.rows) {
      const binding = view.binding(row.id);
      check(binding !== undefined && isDeepStrictEqual(rowOf(binding), row), 'bindings are the model’s rows', {
        command,
        row,
        binding,
      });
      counts[(binding as Binding).state] += 1;
    }
    check(view.binding(bindingIdOf(this.model.rows.length + 1)) === undefined, 'no binding is made beside', command);
    check(isDeepStrictEqual(view.state.counts, counts), 'counts are the fold', { command, counts, told: view.state.counts });
    for (const externalId of EXTERNAL_IDS) {
      const rows = this.model.rows.filter((row) => !row.gone && row.external === externalId);
      check(
        rows.length <= 1 && view.liveOfExternalId(externalId)?.id === rows[0]?.id,
        'one live binding per external id',
        command,
      );
    }
  }

  /** The answer shows bindings as they are after it; the events' identity is that of the bindings after them. */
  private checkAnswer({ answer, events }: Done): void {
    const { view, revision } = this.ledger;
    for (const { event, stamp } of events) {
      const { bindingId: id, version, recordId, externalId, state } = event.data;
      const after = view.binding(id);
      const told = { version, recordId, externalId, state, revision: stamp.revision };
      check(
        Object.entries(told).every(([member, value]) => after?.[member as keyof Binding] === value),
        'identity is told',
        event,
      );
    }
    check(answer.revision === revision, 'the revision is that of the last event, else the head', answer);
    check(
      answer.binding === null || events.length === 0 || answer.binding.revision === revision,
      'the last event is of the binding',
      answer,
    );
  }

  /** Whatever was just done, asked again at once, changes nothing: it is done already. */
  private repeat(command: Command): void {
    const again = this.ledger.decide(command);
    check(isRefusal(again) || again.events.length === 0, 'a repeat changes nothing', { command, again });
  }

  private keep({ answer, events }: Done): void {
    const { event, stamp } = events.at(-1) as Recorded<BindingEvent>;
    const stored = storeIdempotency('key', 'hash', answer, event, stamp);
    const [readEvent, readStored] = JSON.parse(JSON.stringify([event, stored])) as [BindingEvent, typeof stored];
    const record = idempotencyRecordOf(readEvent, stamp, 'job', readStored);
    check(isDeepStrictEqual(record.answer, answer), 'a repeat with the key gets the answer', { record, answer });
    this.kept.push({ record, asItWas: JSON.stringify(record) });
  }
}

function check(holds: boolean, what: string, shown: unknown): void {
  if (!holds) throw new Error(`not so: ${what}\n${JSON.stringify(shown, null, 1)}`);
}

function isOfBinding(recorded: Recorded): recorded is Recorded<BindingEvent> {
  return isBindingEvent(recorded.event);
}

function checkEvent({ type, data }: BindingEvent, before: Binding | undefined, command: Command): void {
  const dated = data.syncDate !== undefined && before?.syncDate !== undefined && before.syncDate !== null;
  const back = dated && (data.syncDate === null || (data.syncDate as string) <= (before.syncDate as string));
  check(!back || (command.op === 'sync' && command.force === true && data.forced === true), 'no date goes backwards', {
    command,
    data,
  });
  check(data.forced === undefined || (command.op === 'sync' && command.force === true), 'only force is recorded as such', {
    command,
    data,
  });
  if (before === undefined)
    return check(type === 'BindingCreated' && data.version === 1, 'it begins with its creation', { command, type });
  const previous = [data.previousRecordId, data.previousExternalId, data.previousState];
  const changed = [
    data.recordId === before.recordId ? undefined : before.recordId,
    data.externalId === before.externalId ? undefined : before.externalId,
    data.state === before.state ? undefined : before.state,
  ];
  check(isDeepStrictEqual(previous, changed), 'what changed is told, and nothing else', { command, data, before });
}

function rowOf({ id, recordId, externalId, syncDate, data, version, state }: Binding): Row {
  return { id, record: recordId, external: externalId, date: syncDate, data, version, gone: state === 'unbound' };
}

function verdictOf({ answer, refusal }: Done | NotDone): Verdict {
  if (refusal !== undefined) {
    const named = refusal.holder === undefined ? (refusal.candidates ?? []) : [refusal.holder];
    return { says: refusal.refused, names: named.map(({ id }) => id) };
  }
  const named = answer.bindings ?? (answer.binding === null ? [] : [answer.binding]);
  const verdict = { says: answer.outcome, names: named.map(({ id }) => id) };
  return answer.displaced === undefined ? verdict : { ...verdict, displaced: answer.displaced.id };
}

/** All that must have come up often, or the runs proved little. */
const OUTCOMES = ['created', 'assigned', 'replaced', 'synced', 'changed', 'unchanged', 'taken', 'unbound', 'moved'];
const CODES = [
  'NOT_BOUND',
  'BINDING_NOT_FOUND',
  'RECORD_ALREADY_BOUND',
  'EXTERNAL_ID_TAKEN',
  'BACKEND_PAUSED',
  'LEDGER_CLOSED',
  'VERSION_MISMATCH',
  'INVALID_SYNC_DATE',
  'INVALID_DATA',
];
const RUNS = 1_000;

describe('any sequence of commands', () => {
  it.each([
    ['one binding a record', false, [...OUTCOMES, ...CODES]],
    ['many bindings a record', true, [...OUTCOMES, ...CODES, 'AMBIGUOUS_RECORD']],
  ])('comes to what the naive model says: %s', (_, many, common) => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 50, size: 'max' }), (steps) => {
        const life = new Life(many);
        for (const next of steps) life.take(next);
        life.end();
        for (const [says, times] of life.seen) seen.set(says, (seen.get(says) ?? 0) + times);
      }),
      { numRuns: RUNS },
    );
    expect(common.filter((says) => (seen.get(says) ?? 0) < RUNS / 20)).toEqual([]);
  });
});

import {
  decide,
  isBindingEvent,
  isRefusal,
  scopedKey,
  type Answer,
  type BindingEvent,
  type Decision,
  type LedgerView,
  type RecordedLedgerEvent,
  type Refusal,
} from '#domain';
import { canonicalJson } from '#ledger';
import { IDEMPOTENCY_KEPT_MS } from '#read-model';
import type { Attempt, SentRequest } from '../simulation/observed.js';
import { viewAt, type Moment, type Truth } from '../truth.js';

type RecordedBinding = RecordedLedgerEvent & BindingEvent;
/** What a request should have come to at a moment. */
type Expected = { answer: Answer; events: BindingEvent[] } | Refusal;

/** Refusals that say nothing about the ledger, but that nothing was written. */
const NOT_DONE: ReadonlySet<string> = new Set(['BUSY', 'STORE_UNAVAILABLE']);
/** What a backend says that does not let a ledger be opened. */
const NOT_OPENED: ReadonlySet<string> = new Set(['BACKEND_PAUSED', 'LEDGER_CLOSED']);
const UNKNOWN = 'OUTCOME_UNKNOWN';

/**
 * Whether each answer is what the ledger says, decided once more over the whole of it: with events, at the revision before
 * them; without, at a revision between call and answer.
 */
export class AnswerCheck {
  private readonly events = new Map<string, RecordedBinding[]>();
  /** What was answered to the request that a key came with, by the revision of its last event. */
  private readonly firstAnswers = new Map<number, Answer>();

  constructor(private readonly truth: Truth) {
    for (const event of truth.events) {
      if (!isBindingEvent(event)) continue;
      const { correlationId } = event.metadata;
      this.events.set(correlationId, [...(this.events.get(correlationId) ?? []), event]);
    }
  }

  problems(attempts: readonly Attempt[]): string[] {
    for (const attempt of attempts) for (const request of attempt.requests) this.noteAnswer(request);
    return attempts.flatMap((attempt) => {
      const parts = attempt.atomic ? [attempt] : attempt.requests.map((request, index) => single(attempt, request, index));
      return parts.map((part) => this.problemOf(part)).filter((problem) => problem !== undefined);
    });
  }

  private noteAnswer(request: SentRequest): void {
    const events = this.eventsOf([request]);
    const last = events.at(-1);
    if (last === undefined) return;
    const { revision, metadata } = events[0] as RecordedBinding;
    const [expected] = this.expect(this.truth.at(revision - 1), [request], Date.parse(metadata.at));
    if (expected !== undefined && !isRefusal(expected)) this.firstAnswers.set(last.revision, expected.answer);
  }

  private problemOf(attempt: Attempt): string | undefined {
    const { requests, results } = attempt;
    const events = this.eventsOf(requests);
    const about = (problem: string) => `${describe(attempt)}: ${problem}`;
    const codes = (results ?? []).filter(isRefusal).map(({ refused }) => refused);
    const unknown = results === undefined || codes.includes(UNKNOWN);
    if (!unknown && codes.some((code) => NOT_DONE.has(code)))
      return events.length > 0 ? about('was refused, and done') : undefined;
    const [first] = events;
    if (first !== undefined) {
      const now = Date.parse(first.metadata.at);
      const problem =
        this.problemOfEvents(events, requests, now) ?? (unknown ? undefined : this.problemAt(first.revision - 1, attempt, now));
      return problem === undefined ? undefined : about(problem);
    }
    if (unknown) return undefined;
    const { calledHead, answeredHead, calledAt, answeredAt } = attempt;
    const isTrue = ({ revision, state }: Moment) =>
      (!state.opened && codes.some((code) => NOT_OPENED.has(code))) ||
      [calledAt, answeredAt].some((now) => this.problemAt(revision, attempt, now) === undefined);
    if (this.truth.oldest(calledHead, answeredHead, isTrue) !== undefined) return undefined;
    const problem = this.problemAt(answeredHead, attempt, answeredAt);
    return about(`is true at no revision from ${calledHead} to ${answeredHead}; at the last, ${problem}`);
  }

  private eventsOf(requests: readonly SentRequest[]): RecordedBinding[] {
    return requests.flatMap(({ context }) => this.events.get(context.correlationId) ?? []);
  }

  /** The events in the stream are those that the commands become over the whole ledger as it was before them. */
  private problemOfEvents(events: readonly RecordedBinding[], requests: readonly SentRequest[], now: number): string | undefined {
    const revision = (events[0] as RecordedBinding).revision;
    if (events.some((event, index) => event.revision !== revision + index)) return 'its events do not stand together';
    const expected = this.expect(this.truth.at(revision - 1), requests, now);
    const wanted = expected.flatMap((each) => (isRefusal(each) ? [] : each.events));
    if (expected.some(isRefusal))
      return `was done @${revision}, and should have been refused: ${canonicalJson(expected.filter(isRefusal))}`;
    const [is, should] = [events, wanted].map((some) => canonicalJson(some.map(({ type, data }) => ({ type, data }))));
    return is === should ? undefined : `became @${revision} ${is}, and should have become ${should}`;
  }

  /** What is wrong with the results if the requests were decided at this revision. */
  private problemAt(revision: number, { requests, results, atomic }: Attempt, now: number): string | undefined {
    const expected = this.expect(this.truth.at(revision), requests, now);
    const refused = atomic && expected.some(isRefusal);
    for (const [index, result] of (results ?? []).entries()) {
      const wanted = expected[index] as Expected;
      // Of a group that was refused as a whole, what was refused is certain; the rest tells of what was never done.
      const compare = refused ? codeOf : comparable;
      const [is, should] = [compare(result), compare(isRefusal(wanted) ? wanted : wanted.answer)];
      if (is !== should) return `the answer was ${is} and should have been ${should} @${revision}`;
      if (!refused && !isRefusal(wanted) && wanted.events.length > 0 && this.eventsOf(requests).length === 0)
        return 'was acknowledged, and is not in the stream';
    }
    return undefined;
  }

  private expect(moment: Moment, requests: readonly SentRequest[], now: number): Expected[] {
    const view = viewAt(moment);
    const at = { revision: moment.revision };
    return requests.map((request) => this.expectNext(view, moment, at, request, now));
  }

  private expectNext(
    view: LedgerView,
    moment: Moment,
    at: { revision: number },
    { command, context }: SentRequest,
    now: number,
  ): Expected {
    const scoped = scopedKey(context.actor, command.key ?? '');
    const earlier = command.key === undefined ? undefined : moment.keys.get(scoped);
    const kept = earlier !== undefined && Date.parse(earlier.at) + IDEMPOTENCY_KEPT_MS > now;
    if (kept) return { answer: this.firstAnswers.get(earlier.answer.revision) ?? earlier.answer, events: [] };
    const events = this.events.get(context.correlationId) ?? [];
    const ids = events.filter(({ type }) => type === 'BindingCreated').map(({ data }) => data.bindingId);
    const newId = () => ids.shift() ?? `new ${at.revision}`;
    const recordedAt = events[0]?.metadata.at ?? moment.at;
    const decision = decide(view, command, { at: recordedAt, newId, problemsOf: () => [] });
    if (isRefusal(decision)) return decision;
    for (const event of decision.events)
      view.apply(event, { revision: (at.revision += 1), at: recordedAt, reason: command.reason });
    return { answer: answerOf(view, decision, at.revision), events: decision.events };
  }
}

function answerOf(view: LedgerView, { outcome, bindingId, bindingIds, displacedId }: Decision, revision: number): Answer {
  const answer: Answer = { outcome, binding: bindingId === null ? null : (view.binding(bindingId) ?? null), revision };
  if (bindingIds !== undefined)
    answer.bindings = bindingIds.map((id) => view.binding(id)).filter((binding) => binding !== undefined);
  if (displacedId !== undefined) answer.displaced = view.binding(displacedId);
  return answer;
}

function single(attempt: Attempt, request: SentRequest, index: number): Attempt {
  return { ...attempt, requests: [request], results: attempt.results?.slice(index, index + 1) };
}

function comparable(result: Answer | Refusal): string {
  if (!isRefusal(result)) return canonicalJson(result);
  const { detail: _, ...rest } = result;
  return canonicalJson(rest);
}

function codeOf(result: Answer | Refusal): string {
  return isRefusal(result) ? result.refused : 'done';
}

export function describe({ by, requests }: Attempt): string {
  return `${by} ${requests.map(({ command, context }) => `${context.correlationId} ${canonicalJson(command)}`).join(' + ')}`;
}

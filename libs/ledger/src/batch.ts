import {
  decide,
  idempotencyRecordOf,
  isRefusal,
  refuse,
  scopedKey,
  storeIdempotency,
  type Answer,
  type BindingEvent,
  type Circumstances,
  type Command,
  type Decision,
  type Direction,
  type LedgerEvent,
  type LedgerState,
  type LedgerView,
  type Refusal,
  type RequestContext,
  type Stamp,
} from '#domain';
import { IDEMPOTENCY_KEPT_MS } from '#read-model';
import { canonicalJson, chainEvent, metadataOf, sha256, type ChainedEvent, type UnchainedMetadata } from './chain.js';
import type { HeadPoint } from './ledger-head.js';

export interface CommandRequest {
  command: Command;
  context: RequestContext;
}

export type CommandResult = Answer | Refusal;

/** Commands that are answered together: one by itself, or several of which all are done or none. */
export interface CommandGroup {
  requests: CommandRequest[];
  atomic: boolean;
}

/**
 * What a batch came to: its events, and the results of as many groups as fitted into one append. The last group may have
 * fewer results than requests, unless it is atomic.
 */
export interface DecidedBatch {
  events: ChainedEvent[];
  /** What they add to an append, roughly from above. */
  bytes: number;
  /** The ledger's own state behind them. */
  state: LedgerState;
  results: CommandResult[][];
}

export interface BatchTools {
  clock: () => number;
  newId: () => string;
  /** Where ids of events may be made more cheaply than others. */
  newEventId?: () => string;
  problemsOf: Circumstances['problemsOf'];
  maxBytes: number;
}

/** How often a long batch lets other work of the process run. */
const COMMANDS_BETWEEN_BREATHS = 100;
/** A command begins only if this much of the append is free: its own data, that of the binding before, and that of one displaced. */
const RESERVED_BYTES = 256 * 1024;
/** Those that may concern all bindings of a record have an event for each, with long ids and a long reason. */
const RESERVED_BYTES_FOR_MANY = 640 * 1024;

function reservedFor({ op }: Command): number {
  return op === 'move' || op === 'unbind' ? RESERVED_BYTES_FOR_MANY : RESERVED_BYTES;
}

/** Decides groups one after the other over a view that each changes for those behind it. */
export class BatchDecider {
  private readonly events: ChainedEvent[] = [];
  private bytes = 0;
  private readonly circumstances: Circumstances;
  private shared: { context: RequestContext; metadata: UnchainedMetadata } | undefined;
  private clockMs = 0;
  private clockText = '';

  constructor(
    private view: LedgerView,
    private point: HeadPoint,
    private readonly tools: BatchTools,
  ) {
    this.circumstances = { at: '', newId: tools.newId, problemsOf: tools.problemsOf };
  }

  async decide(groups: readonly CommandGroup[]): Promise<DecidedBatch> {
    const results: CommandResult[][] = [];
    let commands = 0;
    for (const group of groups) {
      const decided = group.atomic ? this.decideAtomic(group) : this.decideEach(group);
      if (decided.length > 0) results.push(decided);
      if (decided.length < group.requests.length) break;
      commands += group.requests.length;
      if (commands < COMMANDS_BETWEEN_BREATHS) continue;
      commands = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { events, bytes } = this;
    return { events, bytes, results, state: this.view.state };
  }

  /** As many of the group's commands as fit. */
  private decideEach(group: CommandGroup): CommandResult[] {
    const results: CommandResult[] = [];
    for (const request of group.requests) {
      if (this.bytes > this.tools.maxBytes - reservedFor(request.command)) break;
      results.push(this.decideRequest(request));
    }
    return results;
  }

  /** All of the group's commands, or none of them when it does not fit behind what is there. */
  private decideAtomic(group: CommandGroup): CommandResult[] {
    const before = {
      view: this.view.fork(),
      point: this.point,
      bytes: this.bytes,
      events: this.events.length,
    };
    const results = group.requests.map((request) => this.decideRequest(request));
    const tooLarge = this.bytes > this.tools.maxBytes;
    if (!tooLarge && !results.some(isRefusal)) return results;
    this.view = before.view;
    this.point = before.point;
    this.bytes = before.bytes;
    this.events.length = before.events;
    if (!tooLarge) return results;
    if (before.events > 0) return [];
    return group.requests.map(() => refuse('TOO_LARGE', 'the events of an atomic batch must fit into one append of 900 KB'));
  }

  private decideRequest({ command, context }: CommandRequest): CommandResult {
    const { key } = command;
    const request = key === undefined ? undefined : hashOfRequest(command);
    if (key !== undefined) {
      const earlier = this.view.remembered(scopedKey(context.actor, key));
      if (earlier !== undefined && Date.parse(earlier.at) + IDEMPOTENCY_KEPT_MS > this.tools.clock()) {
        if (earlier.request === request) return earlier.answer;
        return refuse('IDEMPOTENCY_KEY_REUSED', `the idempotency key ${JSON.stringify(key)} was used for another request`);
      }
    }
    const at = this.now();
    this.circumstances.at = at;
    const decision = decide(this.view, command, this.circumstances);
    return isRefusal(decision) ? decision : this.record(decision, { command, context }, at, request);
  }

  private record(decision: Decision, { command, context }: CommandRequest, at: string, request: string | undefined): Answer {
    const answered = this.apply(decision, at, command.reason);
    const answer = this.answerOf(decision, answered.revision);
    const { direction, reason, key } = command;
    const { events } = decision;
    const event = events.at(-1);
    if (event === undefined) return answer;
    const metadata = this.metadataOf(context, at, direction, reason);
    for (let index = 0; index < events.length - 1; index += 1) this.chain(events[index] as BindingEvent, metadata);
    if (key === undefined || request === undefined) this.chain(event, metadata);
    else {
      const stamp = answered;
      const idempotency = storeIdempotency(key, request, answer, event, stamp);
      this.chain(event, metadataOf(context, at, { direction, reason, idempotency }));
      this.view.remember(idempotencyRecordOf(event, stamp, context.actor, idempotency));
    }
    return answer;
  }

  /** Lets the view see the events, and answers where the last one stands, or the head when there is none. */
  private apply({ events }: Decision, at: string, reason: string | undefined): Stamp {
    let stamp: Stamp = { revision: this.point.revision, at, reason };
    for (const event of events) {
      stamp = { revision: stamp.revision + 1, at, reason };
      this.view.apply(event, stamp);
    }
    return stamp;
  }

  private answerOf({ outcome, bindingId, bindingIds, displacedId }: Decision, revision: number): Answer {
    const found = (id: string) => this.view.binding(id) ?? null;
    const answer: Answer = {
      outcome,
      binding: bindingId === null ? null : found(bindingId),
      revision,
    };
    if (bindingIds !== undefined) answer.bindings = bindingIds.map(found).filter((binding) => binding !== null);
    if (displacedId !== undefined) answer.displaced = found(displacedId) ?? undefined;
    return answer;
  }

  /** Most commands of a batch have the metadata of the one before, in the same millisecond: it is made once. */
  private metadataOf(context: RequestContext, at: string, direction?: Direction, reason?: string): UnchainedMetadata {
    const plain = direction === undefined && reason === undefined;
    const { shared } = this;
    if (plain && shared?.context === context && shared.metadata.fields.at === at) return shared.metadata;
    const metadata = metadataOf(context, at, { direction, reason });
    if (plain) this.shared = { context, metadata };
    return metadata;
  }

  private chain(event: LedgerEvent, metadata: UnchainedMetadata): void {
    const { hash, revision, state } = this.point;
    const chained = chainEvent(hash, revision + 1, (this.tools.newEventId ?? this.tools.newId)(), event, metadata);
    this.events.push(chained);
    this.bytes += chained.bytes;
    this.point = { revision: revision + 1, hash: chained.hash, at: metadata.fields.at, state };
  }

  /** Recorded time never goes backwards in a ledger, whatever the clocks of its writers say. */
  private now(): string {
    const clockMs = this.tools.clock();
    if (clockMs !== this.clockMs) [this.clockMs, this.clockText] = [clockMs, new Date(clockMs).toISOString()];
    const clock = this.clockText;
    return clock > this.point.at ? clock : this.point.at;
  }
}

function hashOfRequest({ key: _, ...request }: Command): string {
  return sha256(canonicalJson(request));
}

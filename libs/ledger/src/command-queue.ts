import { addKeysOf, scopedKey, type CommandKeys, type ControlEvent, type Refusal, type RequestContext } from '#domain';
import type { DecisionKeys } from '#read-model';
import type { CommandGroup, CommandResult } from './batch.js';
import type { HeadPoint } from './ledger-head.js';
import type { LedgerLimits } from './limits.js';

/** Makes control events, or a refusal, of a ledger's state at its end. */
export type Amend = (at: HeadPoint) => Promise<ControlEvent[] | Refusal>;
export type AmendResult = { revision: number } | Refusal;

interface Waiting {
  deadlineAt: number;
  fail(error: unknown): void;
}
export interface GroupJob extends Waiting, CommandGroup {
  kind: 'group';
  /** Of a bulk stream, which waited for its turn. */
  bulk: boolean;
  settle(results: CommandResult[]): void;
}
export interface AmendJob extends Waiting {
  kind: 'amend';
  amend: Amend;
  context: RequestContext;
  settle(result: AmendResult): void;
}
export type Job = GroupJob | AmendJob;

/** What waits for a ledger's writer, in order. Bounded by whoever puts in; those who were slowed down wait for room. */
export class CommandQueue {
  private jobs: Job[] = [];
  private commands = 0;
  private bulk = 0;
  private roomWaiters: (() => void)[] = [];

  constructor(private readonly limits: Pick<LedgerLimits, 'queueCommands' | 'bulkCommands'>) {}

  get depth(): number {
    return this.commands;
  }

  get next(): Job | undefined {
    return this.jobs[0];
  }

  hasRoomFor(commands: number): boolean {
    return this.commands + commands <= this.limits.queueCommands;
  }

  /** For those who can wait: little of them stands before others, and others, however many, do not keep them out. */
  hasRoomForBulk(commands: number): boolean {
    const { bulkCommands, queueCommands } = this.limits;
    return this.bulk === 0 || this.bulk + commands <= Math.min(bulkCommands, queueCommands);
  }

  push(job: Job): void {
    this.jobs.push(job);
    this.count(job, 1);
  }

  /** Before all that waits: what is decided again keeps its place. */
  putBack(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    this.jobs = [...jobs, ...this.jobs];
    for (const job of jobs) this.count(job, 1);
  }

  takeAmendment(): AmendJob | undefined {
    if (this.jobs[0]?.kind !== 'amend') return undefined;
    return this.jobs.shift() as AmendJob;
  }

  /** The groups that fit into one batch, up to the next amendment. */
  takeGroups(maxCommands: number): GroupJob[] {
    const groups: GroupJob[] = [];
    let [count, commands] = [0, 0];
    for (const job of this.jobs) {
      if (job.kind !== 'group' || (count > 0 && commands + job.requests.length > maxCommands)) break;
      groups.push(job);
      count += 1;
      commands += job.requests.length;
    }
    this.jobs = this.jobs.slice(count);
    for (const group of groups) this.count(group, -1);
    this.wake();
    return groups;
  }

  /** Resolves when something was taken out, or when `wake` was called. */
  async change(): Promise<void> {
    await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
  }

  private count(job: Job, sign: 1 | -1): void {
    if (job.kind !== 'group') return;
    this.commands += sign * job.requests.length;
    if (job.bulk) this.bulk += sign * job.requests.length;
  }

  wake(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = [];
    for (const wake of waiters) wake();
  }
}

/**
 * Cuts off the jobs, or the part of the last one, that did not fit into an append: `jobs` keeps what has results, the rest is
 * answered. A job that is cut in two is settled when its second part is.
 */
export function cutRemainder(jobs: GroupJob[], results: readonly CommandResult[][]): GroupJob[] {
  const rest = jobs.splice(results.length);
  const [last, count] = [jobs.at(-1), results.at(-1)?.length ?? 0];
  if (last === undefined || count === last.requests.length) return rest;
  let first: CommandResult[] = [];
  jobs[jobs.length - 1] = {
    ...last,
    requests: last.requests.slice(0, count),
    settle: (settled) => {
      first = settled;
    },
  };
  return [
    {
      ...last,
      requests: last.requests.slice(count),
      settle: (settled) => last.settle([...first, ...settled]),
    },
    ...rest,
  ];
}

/** All keys by which the state of these commands is found. */
export function keysOfGroups(groups: readonly CommandGroup[]): DecisionKeys {
  const found: CommandKeys & { scopedKeys: string[] } = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };
  for (const { requests } of groups) {
    for (const { command, context } of requests) {
      addKeysOf(command, found);
      if (command.key !== undefined) found.scopedKeys.push(scopedKey(context.actor, command.key));
    }
  }
  return found;
}

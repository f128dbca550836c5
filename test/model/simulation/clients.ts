import { isRefusal, type Binding, type Command, type LedgerName } from '#domain';
import { EventStoreError } from '#event-store';
import type { CommandResult } from '#ledger';
import { ReadModelError } from '#read-model';
import { CLIENTS, type CommandStep, type Lookup, type Plan, type Step } from '../plan.js';
import { act, deleteEverywhere, type ControlAttempt, type Deletion } from './control.js';
import { appendAsForeigner } from './foreigner.js';
import { BACKEND, LEDGERS, STREAMS, type Instance } from './instance.js';
import { look } from './lookups.js';
import type { Attempt, Sighting } from './observed.js';
import type { SimulatedProcess } from './scheduler.js';
import { SYSTEM, type World } from './world.js';

export const ACTOR = 'job';
/** How long a client waits at most before its next step: many come together. */
const THINK_MS = [5, 20, 150];
const MAX_RETRY_MS = 120;
const DAY_MS = 25 * 3_600_000;
const MAX_TRIES = 3;
const MAX_FINAL_TRIES = 60;
const FINAL_WAIT_MS = 2_000;
const TEMPORARY: ReadonlySet<string> = new Set(['BUSY', 'STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'BACKEND_PAUSED']);

/** The clients of the ledger, each of which does its steps one after the other. */
export class Clients {
  readonly attempts: Attempt[] = [];
  readonly sightings: Sighting[] = [];
  readonly controls: ControlAttempt[] = [];
  readonly deletions: Deletion[] = [];
  /** Whether a change of the backend or a model was refused for now, and so perhaps left half done. */
  wereBusy = false;
  /** Clients that are not through yet. */
  waiting = 0;
  private readonly process: SimulatedProcess;
  private readonly seen: Binding[] = [];
  /** By key: the same whenever it is repeated. */
  private readonly resolved = new Map<string, Command>();
  private readonly unsettled = new Map<string, { step: CommandStep; ledger: LedgerName }>();

  constructor(
    private readonly world: World,
    private readonly plan: Plan,
  ) {
    this.process = world.startProcess('clients');
  }

  start(): void {
    for (let client = 0; client < CLIENTS; client += 1) {
      const steps = this.plan.steps.filter((step) => step.client === client);
      this.run(async () => {
        for (const step of steps) await this.do(step);
      });
    }
  }

  /** Whoever starts after everything has healed completes what was begun. */
  resume(): void {
    this.run(async () => {
      const [{ plane }] = this.world.instances as [Instance];
      await this.repeatedly(async () => {
        const { unfinished } = await plane.resumeFanOuts();
        return unfinished.length === 0 ? undefined : `cannot be resumed: ${JSON.stringify(unfinished)}`;
      });
    });
    for (const ledger of this.world.ledgersBeingRebuilt()) this.run(() => (this.world.instances[1] as Instance).rebuild(ledger));
  }

  /** So that no command has to wait for ever. */
  unpause(): void {
    this.run(() =>
      this.repeatedly(async () => {
        const resumed = await (this.world.instances[0] as Instance).plane.backends.resume(BACKEND, SYSTEM);
        return isRefusal(resumed) && TEMPORARY.has(resumed.refused) ? `cannot be resumed: ${resumed.refused}` : undefined;
      }),
    );
  }

  /** What has a key and is not answered yet is asked again until it is. */
  settle(): void {
    for (const [key, { step, ledger }] of this.unsettled) {
      this.run(async () => {
        for (let tries = 0; tries < MAX_FINAL_TRIES && this.unsettled.has(key); tries += 1) {
          await this.send(ledger, [step], false);
          await this.world.scheduler.sleep(this.process, FINAL_WAIT_MS);
        }
        if (this.unsettled.has(key)) throw new Error(`the command with key ${key} is never answered`);
      });
    }
  }

  /** Until it says no more what keeps it from being done: a clock that was off may do so for a while. */
  private async repeatedly(work: () => Promise<string | undefined>): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const problem = await work();
      if (problem === undefined) return;
      if (tries === MAX_FINAL_TRIES) throw new Error(problem);
      await this.world.scheduler.sleep(this.process, FINAL_WAIT_MS);
    }
  }

  private run(work: () => Promise<void>): void {
    this.waiting += 1;
    work()
      .catch((error: unknown) => this.world.errors.push(error))
      .finally(() => (this.waiting -= 1));
  }

  private async do(step: Step): Promise<void> {
    const { scheduler } = this.world;
    await scheduler.sleep(this.process, scheduler.random.below(scheduler.random.pick(THINK_MS)));
    const ledger = LEDGERS[step.ledger] as LedgerName;
    switch (step.kind) {
      case 'lookup':
        return this.lookUp(ledger, step.what, step.fresh);
      case 'foreign':
        return this.actAsForeigner(ledger, step.commands);
      case 'control':
        return this.withInstance(async (instance) => {
          const done = await act(this.world, instance, ledger, step.action);
          if (done === undefined) this.wereBusy = true;
          else if (done !== 'refused') this.controls.push(done);
        });
      case 'delete':
        return this.withInstance((instance) => deleteEverywhere(this.world, instance, step.recordId, this.deletions));
      case 'rebuild':
        return this.withInstance((instance) => instance.rebuild(ledger));
      case 'night':
        scheduler.now += DAY_MS;
        return undefined;
      case 'command':
        return this.sendUntilAnswered(ledger, [step], false);
      case 'repeat':
        return this.sendUntilAnswered(ledger, [step.of], false);
      case 'group':
        return this.sendUntilAnswered(ledger, step.commands, step.atomic);
    }
  }

  private async withInstance(work: (instance: Instance) => Promise<void>): Promise<void> {
    const instance = this.world.scheduler.random.pick(this.world.instances);
    await this.orCrash(instance, work(instance));
  }

  private async sendUntilAnswered(ledger: LedgerName, steps: CommandStep[], atomic: boolean): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const results = await this.send(ledger, steps, atomic);
      const again = results === undefined || results.some((result) => isRefusal(result) && TEMPORARY.has(result.refused));
      // Without keys a repetition would be another command.
      if (!again || tries === MAX_TRIES || steps.some(({ key }) => key === undefined)) return;
      await this.world.scheduler.sleep(this.process, this.world.scheduler.random.below(MAX_RETRY_MS));
    }
  }

  private async send(ledger: LedgerName, steps: readonly CommandStep[], atomic: boolean): Promise<CommandResult[] | undefined> {
    const instance = this.world.scheduler.random.pick(this.world.instances);
    const attempt = this.begin(ledger, steps, atomic, instance.process.name);
    attempt.results = await this.orCrash(instance, instance.writer(ledger).submit({ requests: attempt.requests, atomic }));
    this.end(attempt, steps);
    return attempt.results;
  }

  private async actAsForeigner(ledger: LedgerName, steps: readonly CommandStep[]): Promise<void> {
    const process = this.world.startProcess('foreigner');
    const attempt = this.begin(ledger, steps, false, process.name);
    attempt.results = await appendAsForeigner(this.world, process, ledger, attempt.requests);
    this.end(attempt, steps);
  }

  private begin(ledger: LedgerName, steps: readonly CommandStep[], atomic: boolean, by: string): Attempt {
    const number = this.attempts.length;
    const requests = steps.map((step, index) => ({
      command: this.resolve(step),
      context: { actor: ACTOR, correlationId: `${number}.${index}` },
    }));
    const calledHead = this.world.events.head(STREAMS.ledger(ledger));
    const calledAt = this.world.scheduler.trueTime;
    const attempt: Attempt = {
      ledger,
      by,
      requests,
      atomic,
      calledHead,
      answeredHead: calledHead,
      calledAt,
      answeredAt: calledAt,
      results: undefined,
    };
    this.attempts.push(attempt);
    return attempt;
  }

  private end(attempt: Attempt, steps: readonly CommandStep[]): void {
    attempt.answeredHead = this.world.events.head(STREAMS.ledger(attempt.ledger));
    attempt.answeredAt = this.world.scheduler.trueTime;
    for (const [index, step] of steps.entries()) {
      const result = attempt.results?.[index];
      if (result !== undefined && !isRefusal(result) && result.binding !== null) this.seen.push(result.binding);
      if (step.key === undefined) continue;
      const settled = result !== undefined && (!isRefusal(result) || !TEMPORARY.has(result.refused));
      if (settled) this.unsettled.delete(step.key);
      else this.unsettled.set(step.key, { step, ledger: attempt.ledger });
    }
  }

  /** The command as it is sent. */
  private resolve(step: CommandStep): Command {
    const { key } = step;
    if (key === undefined) return { ...step.command, ...this.bySeen(step) } as Command;
    const command = this.resolved.get(key) ?? ({ ...step.command, ...this.bySeen(step), key } as Command);
    this.resolved.set(key, command);
    return command;
  }

  private bySeen({ by, seen, command }: CommandStep): object {
    const binding = this.seen[seen % Math.max(1, this.seen.length)];
    if (binding === undefined || by === undefined) return {};
    if (by === 'ifBinding') return { ifBinding: binding.id };
    if (by === 'expectedVersion') return { expectedVersion: binding.version };
    if (command.op === 'move') return { fromRecordId: undefined, bindingId: binding.id };
    return {
      recordId: undefined,
      bindingId: binding.id,
      ...(command.op === 'bind' ? {} : { externalId: undefined, all: undefined }),
    };
  }

  private async lookUp(ledger: LedgerName, what: Lookup, fresh: boolean): Promise<void> {
    const instance = this.world.scheduler.random.pick(this.world.instances);
    const byId = what.by === 'id' || (what.by === 'history' && what.of === 'bindingId');
    const id = byId ? this.seen[what.seen % Math.max(1, this.seen.length)]?.id : undefined;
    if (byId && id === undefined) return;
    const sighting = await this.orCrash(instance, look(this.world, instance, ledger, { ...what, id }, fresh));
    if (sighting !== undefined) this.sightings.push(sighting);
  }

  /** What comes of a call; nothing when the process ends before, or a store could not be used. */
  private async orCrash<T>(instance: Instance, call: Promise<T>): Promise<T | undefined> {
    try {
      return await Promise.race([call, instance.process.crashed.then(() => undefined)]);
    } catch (error) {
      if (error instanceof EventStoreError || error instanceof ReadModelError) return undefined;
      throw error;
    }
  }
}

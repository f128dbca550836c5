import type { Random } from './random.js';

/** A program of its own: it has its own clock, it can be slow for a while, and it can end at any moment. */
export class SimulatedProcess {
  alive = true;
  /** Resolves when the process has ended before its time. */
  readonly crashed: Promise<void>;
  end: () => void = () => undefined;
  /** How likely it is to be the next to run. */
  weight = 1;

  constructor(
    readonly name: string,
    readonly clockOffsetMs = 0,
  ) {
    this.crashed = new Promise((resolve) => (this.end = resolve));
  }
}

interface Operation {
  process: SimulatedProcess;
  /** Not before this time. */
  at: number;
  ready(): boolean;
  run(): void;
  /** A request on its way when its process ends may arrive nevertheless. */
  orphan?(): void;
}

const always = () => true;
const START_OF_TIME = Date.parse('2026-03-03T09:00:00.000Z');
const WEIGHTS = [0.02, 0.2, 1, 1, 4];
/** For how many steps a process stays as fast or slow as it is. */
const SPELLS = [10, 25, 100, 300];
const MAX_STEPS = 200_000;

/**
 * Decides who runs next. Everything that leaves a process (a call of a store, a sleep) is an operation here; one is run at a
 * time, by the seeded random, and the next only when nothing moves any more. There is no other time than its own.
 */
export class Scheduler {
  now = 0;
  steps = 0;
  afterStep: () => void = () => undefined;
  private spellEnds = 0;
  private operations: Operation[] = [];
  private readonly processes = new Set<SimulatedProcess>();
  /** What goes on outside of all processes: messages on their way, and the stores' own work. */
  readonly network = new SimulatedProcess('network');

  constructor(readonly random: Random) {
    this.processes.add(this.network);
  }

  /** The stores' clock, which is taken for the true time. */
  get trueTime(): number {
    return START_OF_TIME + this.now;
  }

  clockOf(process: SimulatedProcess): number {
    return this.trueTime + process.clockOffsetMs;
  }

  start(process: SimulatedProcess): SimulatedProcess {
    this.processes.add(process);
    return process;
  }

  /** Ends a process: nothing of it goes on but what it has sent, perhaps. */
  crash(process: SimulatedProcess): void {
    process.alive = false;
    process.end();
    this.processes.delete(process);
    const left = this.operations.filter((operation) => operation.process === process);
    this.operations = this.operations.filter((operation) => operation.process !== process);
    for (const { orphan } of left) if (orphan !== undefined && this.random.chance(0.5)) this.later(this.network, orphan);
  }

  later(
    process: SimulatedProcess,
    run: () => void,
    { afterMs = 0, ready = always, orphan }: { afterMs?: number; ready?: () => boolean; orphan?: () => void } = {},
  ): void {
    if (process.alive) this.operations.push({ process, at: this.now + afterMs, ready, run, orphan });
  }

  /** A call from a process to a store: it arrives at one moment, and its answer does then or at a later one. */
  call<T>(process: SimulatedProcess, arrive: () => T, ready: () => boolean = always): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        const settle = settled(arrive, resolve, reject);
        if (this.random.chance(0.6)) settle();
        else this.later(process, settle);
      };
      this.later(process, run, { ready, orphan: () => void settled(arrive, ignore, ignore) });
    });
  }

  /** The call fails; what it asked for happens, or not. */
  failingCall(process: SimulatedProcess, happens: (() => void) | undefined, error: Error): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.later(process, () => {
        happens?.();
        this.later(process, () => reject(error));
      });
    });
  }

  sleep(process: SimulatedProcess, ms: number): Promise<void> {
    return new Promise((resolve) => this.later(process, resolve, { afterMs: Math.ceil(ms) }));
  }

  /** Runs until nobody has anything to do any more. */
  async run(): Promise<void> {
    for (;;) {
      await quiet();
      const operation = this.next();
      if (operation === undefined) return;
      this.steps += 1;
      if (this.steps > MAX_STEPS) throw new Error('the simulation does not come to an end');
      this.now += this.random.below(4);
      operation.run();
      this.afterStep();
    }
  }

  /** One of those that can run, by the weight of its process; when none can yet, time goes on to the first. */
  private next(): Operation | undefined {
    if (this.steps >= this.spellEnds) this.beginSpell();
    const total = this.weightOfRunnable() || (this.passTime() ? this.weightOfRunnable() : 0);
    if (total === 0) return undefined;
    let rest = this.random.next() * total;
    const isChosen = (operation: Operation) => this.isRunnable(operation) && (rest -= operation.process.weight) < 0;
    const chosen = this.operations.findIndex(isChosen);
    return this.operations.splice(chosen, 1)[0];
  }

  private beginSpell(): void {
    this.spellEnds = this.steps + this.random.pick(SPELLS);
    for (const process of this.processes) process.weight = this.random.pick(WEIGHTS);
  }

  private isRunnable({ at, ready }: Operation): boolean {
    return at <= this.now && ready();
  }

  private weightOfRunnable(): number {
    let total = 0;
    for (const operation of this.operations) if (this.isRunnable(operation)) total += operation.process.weight;
    return total;
  }

  private passTime(): boolean {
    let first = Infinity;
    for (const { at, ready } of this.operations) if (at < first && ready()) first = at;
    if (first === Infinity) return false;
    this.now = Math.max(this.now, first);
    return true;
  }
}

function settled<T>(arrive: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): () => void {
  try {
    const value = arrive();
    return () => resolve(value);
  } catch (error) {
    return () => reject(error);
  }
}

function ignore(): void {}

/** Resolves when every promise that can go on has gone on: the tick queue comes after all microtasks. */
function quiet(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

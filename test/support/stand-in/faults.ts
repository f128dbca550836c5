/**
 * What goes wrong on purpose. A fault is for one kind of call, all of them or those of one stream, and fires once, n times, or
 * by chance; chance comes from a seed, so that a run can be repeated.
 */
export const FAULT_KINDS = {
  /** The call ends as on a node that is starting or stopping: UNAVAILABLE. */
  refuse: 'before',
  /** The node says that it is too busy. */
  busy: 'before',
  /** The node is no leader, and names the one that is, when `leader` is given. */
  notLeader: 'before',
  /** The disk is full: nothing is written, and the client is told that something unknown happened. Reads go on. */
  diskFull: 'before',
  /** The connection is cut before anything was written. */
  dropBefore: 'before',
  /** The call is never answered, nothing is written. */
  silentBefore: 'before',
  /** The node gives up on the write, and says so, without having written. */
  timeoutBefore: 'before',
  /** The call waits for `delayMs` first. */
  delay: 'before',
  /** Written, then the connection is cut instead of an answer. */
  dropAfter: 'after',
  /** Written, and never answered. */
  silentAfter: 'after',
  /** Written, but the node answers that it gave up on it. */
  timeoutAfter: 'after',
  /** Written, and answered after `delayMs`. */
  delayAfter: 'after',
  /** Events stop coming, the stream stays open, until the fault is removed. */
  stall: 'streaming',
  /** The connection is cut in the middle of a stream of events. */
  drop: 'streaming',
  /** The node ends the stream of events with an error, as it does to a consumer that is too slow. */
  end: 'streaming',
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;
export type FaultPoint = (typeof FAULT_KINDS)[FaultKind];

export const METHODS = [
  'batchAppend',
  'unaryAppend',
  'delete',
  'tombstone',
  'readStream',
  'readAll',
  'subscribeStream',
  'subscribeAll',
  'persistent',
  'features',
  'gossip',
] as const;
export type Method = (typeof METHODS)[number];
/** Names for several methods at once. */
const GROUPS: Record<string, readonly Method[]> = {
  append: ['batchAppend', 'unaryAppend'],
  read: ['readStream', 'readAll'],
  subscribe: ['subscribeStream', 'subscribeAll'],
};
/** What a client asks a node about itself; only a fault that names it is for it. */
const QUESTIONS: readonly Method[] = ['features', 'gossip'];

export interface FaultSpec {
  kind: FaultKind;
  /** A method, or `append`, `read`, `subscribe` for both of a kind. Left out: every call that this can happen to. */
  method?: string | readonly string[];
  /** Name of a stream (`$all` for what concerns all), or a pattern. */
  stream?: string | RegExp;
  /** How often it fires; once by default. */
  times?: number;
  /** The first so many calls that match go through. */
  skip?: number;
  /** Chance of each call that matches, from 0 to 1. */
  probability?: number;
  delayMs?: number;
  /** Of faults in a stream of events: how many events of a call come first. */
  afterEvents?: number;
  /** Of `notLeader`: where the leader is. */
  leader?: { host: string; port: number };
}

export class Fault {
  /** How often it has fired. */
  hits = 0;
  /** How many calls it was let go by. */
  seen = 0;
  readonly removed: Promise<void>;
  #release: () => void = () => {};
  readonly #methods: ReadonlySet<string> | undefined;

  constructor(
    readonly spec: FaultSpec,
    readonly remove: () => void,
  ) {
    this.removed = new Promise((resolve) => (this.#release = resolve));
    const named = spec.method === undefined ? undefined : [spec.method].flat();
    this.#methods = named && new Set(named.flatMap((name): readonly string[] => GROUPS[name] ?? [name]));
    for (const method of this.#methods ?? []) {
      if (!METHODS.includes(method as Method)) throw new RangeError(`There is no method ${method}.`);
    }
    if (!(spec.kind in FAULT_KINDS)) throw new RangeError(`There is no fault ${spec.kind}.`);
  }

  get point(): FaultPoint {
    return FAULT_KINDS[this.spec.kind];
  }

  isSpent(): boolean {
    return this.hits >= (this.spec.times ?? 1);
  }

  matches(method: Method, stream: string): boolean {
    if (this.#methods === undefined ? QUESTIONS.includes(method) : !this.#methods.has(method)) return false;
    const { stream: wanted } = this.spec;
    return wanted === undefined || (typeof wanted === 'string' ? wanted === stream : wanted.test(stream));
  }

  release(): void {
    this.#release();
  }
}

export class Faults {
  /** Milliseconds that the node's clock is ahead. */
  clockSkewMs = 0;
  readonly #faults = new Set<Fault>();
  #state: number;

  constructor(seed = 1) {
    this.#state = seed;
  }

  /** Starts the sequence of chances again. */
  seed(seed: number): void {
    this.#state = seed;
  }

  add(spec: FaultSpec): Fault {
    const fault: Fault = new Fault(spec, () => this.#remove(fault));
    this.#faults.add(fault);
    return fault;
  }

  /** Removes all faults. Streams that were stalled go on. */
  clear(): void {
    for (const fault of this.#faults) this.#remove(fault);
    this.clockSkewMs = 0;
  }

  list(): Fault[] {
    return [...this.#faults];
  }

  /** The fault that is to happen to a call now, if any. */
  take(point: FaultPoint, method: Method, stream: string, events = 0): Fault | undefined {
    for (const fault of this.#faults) {
      if (fault.point !== point || fault.isSpent() || !fault.matches(method, stream)) continue;
      if (events < (fault.spec.afterEvents ?? 0)) continue;
      if (fault.seen++ < (fault.spec.skip ?? 0)) continue;
      if (fault.spec.probability !== undefined && this.#chance() >= fault.spec.probability) continue;
      fault.hits += 1;
      return fault;
    }
    return undefined;
  }

  /** How many events may be sent before a fault is due in a stream of them. */
  eventsBefore(method: Method, stream: string, events: number): number {
    let least = Infinity;
    for (const fault of this.#faults) {
      const left = (fault.spec.afterEvents ?? 0) - events;
      if (fault.point === 'streaming' && left > 0 && !fault.isSpent() && fault.matches(method, stream)) {
        least = Math.min(least, left);
      }
    }
    return least;
  }

  #remove(fault: Fault): void {
    this.#faults.delete(fault);
    fault.release();
  }

  /** Mulberry32. */
  #chance(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}

/** What happens in a run, before it happens: the commands, lookups and repetitions of each client, and what is to go wrong. */
import type { Command, Cardinality } from '#domain';
import { NO_FAULTS, type FaultRates } from './simulation/faults.js';
import { Random } from './simulation/random.js';

/** How a command names its binding instead: by what some client has seen before. */
export type BySeen = 'bindingId' | 'ifBinding' | 'expectedVersion';

export interface CommandStep {
  kind: 'command';
  command: Command;
  by?: BySeen;
  /** Which of the bindings seen so far is meant; taken modulo their number. */
  seen: number;
  key?: string;
}

export type ControlAction = 'pause' | 'resume' | 'retire' | 'one' | 'many';

export type Step = { client: number; ledger: number } & (
  | CommandStep
  | { kind: 'group'; commands: CommandStep[]; atomic: boolean }
  /** The same request as that of an earlier step, with the same key, from another client. */
  | { kind: 'repeat'; of: CommandStep }
  | { kind: 'lookup'; what: Lookup; fresh: boolean }
  | { kind: 'foreign'; commands: CommandStep[] }
  | { kind: 'control'; action: ControlAction }
  /** The local record was deleted: it is unbound in all ledgers. */
  | { kind: 'delete'; recordId: string }
  /** The ledger's documents are built anew. */
  | { kind: 'rebuild' }
  /** A day goes by. */
  | { kind: 'night' }
);

export type Lookup =
  | { by: 'externalId'; externalId: string }
  | { by: 'externalIds'; externalIds: string[] }
  | { by: 'recordIds'; recordIds: string[] }
  | { by: 'id'; seen: number }
  /** A page of a history, and the state so many revisions back from the checkpoint that the page names. */
  | {
      by: 'history';
      of: 'recordId' | 'externalId' | 'bindingId';
      key: string;
      seen: number;
      after: number;
      limit: number;
      back: number;
    };

export interface Plan {
  seed: number;
  /** Of the order in which all that is going on takes its turns. */
  schedule: number;
  steps: Step[];
  rates: FaultRates;
  cardinality: Cardinality;
  limits: { batchCommands: number; tailEvents: number; projectionEvents: number };
  /** How far the clock of each process is off. */
  clockOffsetsMs: number[];
}

/** What a run is about, and so how often each kind of step is taken in it. */
export type Theme = 'bindings' | 'foreigners' | 'lookups' | 'opening' | 'control' | 'retirement';

interface Weights {
  control: number;
  retire: number;
  delete: number;
  rebuild: number;
  lookup: number;
  foreign: number;
  unbind: number;
  /** How many records and external ids there are. */
  ids: number;
  /** How many ledgers the steps are about, and how likely one is about the first, and not any. */
  ledgers: number;
  firstLedger: number;
}

const BASE: Weights = {
  control: 0.1,
  retire: 0.1,
  delete: 0.2,
  rebuild: 0.2,
  lookup: 4,
  foreign: 2,
  unbind: 3,
  ids: 4,
  ledgers: 2,
  firstLedger: 0.9,
};
const THEMES: Record<Theme, Weights> = {
  bindings: { ...BASE, foreign: 4 },
  foreigners: { ...BASE, foreign: 20, lookup: 1, ids: 2, firstLedger: 1 },
  lookups: { ...BASE, lookup: 16, rebuild: 4, firstLedger: 1 },
  opening: { ...BASE, control: 6, ledgers: 4, firstLedger: 0 },
  control: { ...BASE, control: 5, lookup: 2, firstLedger: 0.7 },
  retirement: {
    ...BASE,
    control: 10,
    retire: 14,
    delete: 8,
    unbind: 14,
    lookup: 0.5,
    foreign: 0.5,
    ids: 2,
    ledgers: 3,
    firstLedger: 0,
  },
};

export const PROCESSES = 4;
export const CLIENTS = 10;
const RECORDS = ['r1', 'r2', 'r3', 'r4'];
const EXTERNAL_IDS = ['e1', 'e2', 'e3', 'e4'];
const DATES = ['2026-03-01T00:00:00.000Z', '2026-03-02T00:00:00.000Z', '2026-03-02T12:00:00.000Z', '2026-03-03T00:00:00.000Z'];

const HEAVY: FaultRates = {
  lostAcknowledgement: 0.08,
  lateCommit: 0.08,
  appendUnavailable: 0.03,
  readUnavailable: 0.01,
  documents: 0.02,
  projectorCrash: 0.01,
  writerCrash: 0.002,
};
const LIGHT: FaultRates = { ...NO_FAULTS, lostAcknowledgement: 0.05, lateCommit: 0.05, projectorCrash: 0.005 };
const CRASHES: FaultRates = { ...NO_FAULTS, documents: 0.03, projectorCrash: 0.03 };

/** `theme`: what the plan is about, where that is not to be left to chance. */
export function planOf(seed: number, theme?: Theme): Plan {
  const random = new Random(seed);
  const generator = new StepGenerator(random, THEMES[theme ?? random.pick(Object.keys(THEMES) as Theme[])]);
  const length = random.between(30, 60);
  return {
    seed,
    schedule: seed + 1,
    steps: Array.from({ length }, () => generator.step()),
    rates: random.pick([NO_FAULTS, LIGHT, CRASHES, HEAVY]),
    cardinality: random.chance(0.7) ? 'one' : 'many',
    limits: {
      batchCommands: random.between(1, 6),
      tailEvents: random.pick([8, 20, 1_000]),
      projectionEvents: random.between(1, 8),
    },
    clockOffsetsMs: Array.from({ length: PROCESSES }, () => (random.chance(0.03) ? 20_000 : random.between(-2_000, 2_000))),
  };
}

class StepGenerator {
  private readonly keyed: CommandStep[] = [];
  private keys = 0;

  constructor(
    private readonly random: Random,
    private readonly weights: Weights,
  ) {}

  private get records(): string[] {
    return RECORDS.slice(0, this.weights.ids);
  }

  private get externalIds(): string[] {
    return EXTERNAL_IDS.slice(0, this.weights.ids);
  }

  step(): Step {
    const { random, weights } = this;
    const at = { client: random.below(CLIENTS), ledger: random.chance(weights.firstLedger) ? 0 : random.below(weights.ledgers) };
    const kind = random.weighted([
      [10, 'command'],
      [2, 'group'],
      [3, 'repeat'],
      [weights.lookup, 'lookup'],
      [weights.foreign, 'foreign'],
      [weights.control, 'control'],
      [weights.delete, 'delete'],
      [weights.rebuild, 'rebuild'],
      [0.1, 'night'],
    ] as const);
    if (kind === 'control') return { ...at, kind, action: this.action() };
    if (kind === 'delete') return { ...at, kind, recordId: random.pick(this.records) };
    if (kind === 'rebuild' || kind === 'night') return { ...at, kind };
    if (kind === 'group') return { ...at, kind, commands: this.commands(random.between(2, 4)), atomic: random.chance(0.5) };
    if (kind === 'foreign') return { ...at, kind, commands: this.commands(random.between(1, 3)) };
    if (kind === 'lookup') return { ...at, kind, what: this.lookup(), fresh: random.chance(0.4) };
    if (kind === 'repeat' && this.keyed.length > 0) return { ...at, kind, of: random.pick(this.keyed) };
    return { ...at, ...this.command() };
  }

  private action(): ControlAction {
    return this.random.weighted([
      [1, 'pause'],
      [1.5, 'resume'],
      [this.weights.retire, 'retire'],
      [1, 'one'],
      [1, 'many'],
    ] as const);
  }

  private commands(count: number): CommandStep[] {
    return Array.from({ length: count }, () => this.command());
  }

  private command(): CommandStep {
    const { random } = this;
    const step: CommandStep = { kind: 'command', command: this.request(), seen: random.below(1_000) };
    if (random.chance(0.25)) step.by = random.pick(['bindingId', 'ifBinding', 'expectedVersion'] as const);
    if (random.chance(0.5)) {
      step.key = `k${(this.keys += 1)}`;
      this.keyed.push(step);
    }
    return step;
  }

  private request(): Command {
    const { random, weights } = this;
    const recordId = random.pick(this.records);
    const externalId = random.pick(this.externalIds);
    const target = random.chance(0.5) ? { recordId } : { externalId };
    const op = random.weighted([
      [8, 'bind'],
      [2, 'pending'],
      [3, 'sync'],
      [2, 'changeData'],
      [weights.unbind, 'unbind'],
      [2, 'move'],
    ] as const);
    if (op === 'pending') return { op: 'bind', recordId };
    if (op === 'sync') return { op, ...target, syncDate: random.pick(DATES), force: random.chance(0.2), data: this.data() };
    if (op === 'changeData') return { op, ...target, data: this.data() ?? { n: 0 } };
    if (op === 'unbind') return random.chance(0.3) ? { op, recordId, all: true } : { op, ...target };
    if (op === 'move') return { op, fromRecordId: recordId, toRecordId: random.pick(this.records) };
    const ifBound = random.pick(['refuse', 'replace'] as const);
    const ifTaken = random.weighted([
      [3, 'refuse'],
      [1, 'return'],
      [3, 'takeOver'],
    ] as const);
    return { op, recordId, externalId, ifBound, ifTaken, syncDate: random.pick([...DATES, null]), data: this.data() };
  }

  private data(): { n: number } | undefined {
    return this.random.chance(0.4) ? { n: this.random.below(3) } : undefined;
  }

  private lookup(): Lookup {
    const { random } = this;
    const some = (ids: string[]) => random.shuffled(ids).slice(0, random.between(1, 3));
    const by = random.pick([
      'externalId',
      'externalId',
      'externalIds',
      'recordIds',
      'recordIds',
      'id',
      'history',
      'history',
    ] as const);
    if (by === 'externalId') return { by, externalId: random.pick(this.externalIds) };
    if (by === 'externalIds') return { by, externalIds: some(this.externalIds) };
    if (by === 'recordIds') return { by, recordIds: some(this.records) };
    if (by === 'id') return { by, seen: random.below(1_000) };
    const of = random.pick(['recordId', 'externalId', 'bindingId'] as const);
    const key = random.pick(of === 'recordId' ? this.records : this.externalIds);
    const after = random.pick([-1, -1, random.below(20)]);
    return { by, of, key, seen: random.below(1_000), after, limit: random.between(1, 9), back: random.below(12) };
  }
}

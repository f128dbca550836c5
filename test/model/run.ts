import type { RecordedEvent } from '#event-store';
import { readLedgerEvent } from '#ledger';
import { AnswerCheck } from './checks/answers.js';
import { problemsOfControls, problemsOfDeletions, problemsOfFanOut } from './checks/control.js';
import { problemsOfSightings } from './checks/lookups.js';
import { problemsOfLeftovers, problemsOfProjection } from './checks/projection.js';
import { problemsOfClocks, problemsOfStream } from './checks/stream.js';
import type { Plan } from './plan.js';
import { Clients } from './simulation/clients.js';
import type { Attempt, Sighting } from './simulation/observed.js';
import { LEDGERS, STREAMS } from './simulation/instance.js';
import { World } from './simulation/world.js';
import { Truth } from './truth.js';

export interface Run {
  plan: Plan;
  /** What was found wrong; empty when all is well. */
  problems: string[];
  attempts: readonly Attempt[];
  sightings: readonly Sighting[];
  events: readonly RecordedEvent[];
  /** How many steps the scheduler took. */
  steps: number;
}

/** Carries out a plan and checks everything that came of it. The same plan always comes to the same. */
export async function run(plan: Plan): Promise<Run> {
  const world = new World(plan);
  const clients = new Clients(world, plan);
  const problems: string[] = [];
  try {
    await world.setUp();
    for (const phase of phasesOf(plan, world, clients)) {
      phase();
      await world.scheduler.run();
      if (clients.waiting > 0) problems.push(`${clients.waiting} clients are never answered`);
      problems.push(...world.errors.map(describe));
      if (problems.length > 0) break;
    }
    problems.push(...check(world, clients));
  } catch (error) {
    problems.push(describe(error));
  }
  const { attempts, sightings } = clients;
  return { plan, problems, attempts, sightings, events: world.events.all, steps: world.scheduler.steps };
}

/** First with everything that goes wrong, then without; what was begun is completed, and what was not answered is repeated. */
function phasesOf(plan: Plan, world: World, clients: Clients): (() => void)[] {
  return [
    () => clients.start(),
    () => {
      // Where nothing went wrong, nothing is left to be resumed.
      if (Object.values(plan.rates).every((rate) => rate === 0) && !clients.wereBusy)
        world.errors.push(...problemsOfFanOut(world, truthsOf(world)));
      world.heal();
      clients.resume();
    },
    () => {
      world.errors.push(...problemsOfFanOut(world, truthsOf(world)));
      clients.unpause();
    },
    () => clients.settle(),
  ];
}

function truthsOf(world: World): Truth[] {
  return LEDGERS.map((ledger) => new Truth(world.events.stream(STREAMS.ledger(ledger)).map(readLedgerEvent)));
}

function check(world: World, clients: Clients): string[] {
  const truths = truthsOf(world);
  // Only an acknowledgement tells a process how far its clock is off.
  const toldOfTime = world.plan.rates.lostAcknowledgement + world.plan.rates.lateCommit === 0;
  const ofLedgers = LEDGERS.flatMap((ledger, index) => {
    const truth = truths[index] as Truth;
    const of = <T extends { ledger: unknown }>(all: readonly T[]) => all.filter((each) => each.ledger === ledger);
    return [
      ...problemsOfStream(truth),
      ...(toldOfTime ? problemsOfClocks(world.events.stream(STREAMS.ledger(ledger)), truth) : []),
      ...new AnswerCheck(truth).problems(of(clients.attempts)),
      ...problemsOfSightings(truth, of(clients.sightings)),
      ...problemsOfProjection(world, ledger, truth),
      ...problemsOfLeftovers(world, ledger),
    ];
  });
  return [
    ...world.troubles.map(({ reason }) => `projection stopped: ${reason}`),
    ...ofLedgers,
    ...problemsOfControls(world, truths, clients.controls),
    ...problemsOfDeletions(world, truths, clients.deletions),
  ];
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

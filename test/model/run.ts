import { readLedgerEvent } from '#ledger';
import { AnswerCheck } from './checks/answers.js';
import { problemsOfSightings } from './checks/lookups.js';
import { problemsOfProjection } from './checks/projection.js';
import { problemsOfStream } from './checks/stream.js';
import type { Plan } from './plan.js';
import { Clients, type Attempt } from './simulation/clients.js';
import { LEDGERS, STREAMS, World } from './simulation/world.js';
import { Truth } from './truth.js';

export interface Run {
  plan: Plan;
  /** What was found wrong; empty when all is well. */
  problems: string[];
  attempts: readonly Attempt[];
  events: World['events']['all'];
  steps: number;
}

/** Carries out a plan and checks everything that came of it. The same plan always comes to the same. */
export async function run(plan: Plan): Promise<Run> {
  const world = new World(plan);
  const clients = new Clients(world, plan);
  const problems: string[] = [];
  try {
    clients.start();
    await world.scheduler.run();
    world.heal();
    clients.settle();
    await world.scheduler.run();
    if (clients.waiting > 0) problems.push(`${clients.waiting} clients are never answered`);
    problems.push(...world.errors.map(describe), ...world.troubles.map(({ reason }) => `projection stopped: ${reason}`));
    problems.push(...check(world, clients));
  } catch (error) {
    problems.push(describe(error));
  }
  return { plan, problems, attempts: clients.attempts, events: world.events.all, steps: world.scheduler.steps };
}

function check(world: World, clients: Clients): string[] {
  return LEDGERS.flatMap((ledger) => {
    const truth = new Truth(world.events.stream(STREAMS.ledger(ledger)).map(readLedgerEvent));
    const of = <T extends { ledger: unknown }>(all: readonly T[]) => all.filter((each) => each.ledger === ledger);
    return [
      ...problemsOfStream(truth),
      ...new AnswerCheck(truth).problems(of(clients.attempts)),
      ...problemsOfSightings(truth, of(clients.sightings)),
      ...problemsOfProjection(world, ledger, truth),
    ];
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

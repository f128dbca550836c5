/**
 * The writer and the projector on a node that goes wrong in every way it can, at every point. The faults are those of the
 * stand-in: a real node cannot be told to fail. FAULT_SEED repeats a run, FAULT_COMMANDS widens it.
 */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startStandIn, type FaultKind, type FaultSpec, type StandIn } from '../support/stand-in/index.js';
import { drive, type Driven } from './drive.js';

const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
const COMMANDS = Number(process.env['FAULT_COMMANDS'] ?? 12_000);

const APPENDING: FaultKind[] = [
  'refuse',
  'busy',
  'notLeader',
  'diskFull',
  'dropBefore',
  'silentBefore',
  'timeoutBefore',
  'delay',
  'dropAfter',
  'silentAfter',
  'timeoutAfter',
  'delayAfter',
];
const READING: FaultKind[] = ['refuse', 'busy', 'notLeader', 'dropBefore', 'silentBefore', 'delay'];
const FOLLOWING: FaultKind[] = ['refuse', 'notLeader', 'dropBefore', 'silentBefore', 'drop', 'end', 'stall'];
const POINTS = [
  ...APPENDING.map((kind) => ['append', kind] as const),
  ...READING.map((kind) => ['read', kind] as const),
  ...FOLLOWING.map((kind) => ['subscribe', kind] as const),
];
const EVERYTHING = 3;
const EACH = Math.ceil(COMMANDS / (POINTS.length + EVERYTHING));

let node: StandIn;
beforeEach(async () => {
  node = await startStandIn({ seed: SEED });
});
afterEach(() => node.stop());

const totals = { commands: 0, unknown: 0, away: 0, events: 0 };
function sum(driven: Driven): string[] {
  for (const name of ['commands', 'unknown', 'away', 'events'] as const) totals[name] += driven[name];
  return driven.problems;
}
afterAll(() => {
  const { commands, unknown, away, events } = totals;
  process.stderr.write(
    `${commands} commands, ${events} events, ${unknown} outcomes unknown, ${away} times the store was away; FAULT_SEED=${SEED}\n`,
  );
});

function faultOf(method: string, kind: FaultKind, probability: number): FaultSpec {
  return { method, kind, probability, times: Infinity, delayMs: 300, afterEvents: kind === 'stall' || kind === 'drop' ? 5 : 0 };
}

describe(`whatever goes wrong (FAULT_SEED=${SEED}), no acknowledged command is lost, and none is applied twice`, () => {
  it.each(POINTS)('%s: %s', async (method, kind) => {
    const seed = SEED + POINTS.findIndex((point) => point[0] === method && point[1] === kind);
    const probability = method === 'append' ? 0.2 : 0.6;
    let hits = () => 0;
    const driven = await drive(node, seed, EACH, () => {
      const fault = node.faults.add(faultOf(method, kind, probability));
      // Only a subscription that ends is begun again.
      if (method === 'subscribe') node.faults.add({ kind: 'end', method, afterEvents: 5, times: Infinity });
      hits = () => fault.hits;
      return fault;
    });
    expect(sum(driven), `seed ${seed}`).toEqual([]);
    expect(driven.commands).toBeGreaterThanOrEqual(EACH);
    expect(hits()).toBeGreaterThan(0);
  });

  it.each(Array.from({ length: EVERYTHING }, (_, run) => run))(
    'everything at once, and a node that is started again: run %i',
    async (run) => {
      const seed = SEED + 1_000 + run;
      let groups = 0;
      const driven = await drive(
        node,
        seed,
        EACH,
        () => {
          for (const [method, kind] of POINTS) node.faults.add(faultOf(method, kind, method === 'append' ? 0.02 : 0.005));
          return undefined;
        },
        async () => {
          groups += 1;
          if (groups % 40 === 0) await node.restart();
        },
      );
      expect(sum(driven), `seed ${seed}`).toEqual([]);
    },
  );

  it('and every point was reached', () => {
    expect(totals.commands).toBeGreaterThanOrEqual(COMMANDS);
    expect(totals.unknown).toBeGreaterThan(0);
  });
});

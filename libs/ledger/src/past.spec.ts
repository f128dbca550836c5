/** What was, told from a few events, is what the fold of all of them says. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRefusal, type Binding, type BindingState, type LedgerName } from '#domain';
import { step } from '../../../test/support/command-arbitraries.js';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import { bindingIdOf } from '../../../test/support/naive-ledger.js';
import { answered, bindingsAfter, PastWorld, play, YOUNGEST_MS } from '../../../test/support/past-world.js';
import { locate } from './located.js';
import { bindingsAt, MAX_OPEN_BYTES } from './past-ledger.js';
import type { AsOf, Moment } from './moments.js';

const RECORDS = ['r1', 'r2', 'r3', 'r4', 'r5'];
const EXTERNALS = ['e1', 'e2', 'e3', 'e4'];
const RUNS = 25;
const STATES = ['pending', 'bound', 'unbound'] as const;

let world: PastWorld;
beforeAll(async () => {
  world = await PastWorld.open();
});
afterAll(() => world.close());

const at = (ledger: LedgerName, bindings: readonly Binding[]) =>
  bindings.map((binding) => locate({ ...ledger, localModel: 'res.partner' }, binding));
const byId = (bindings: readonly { id: string }[]) => bindings.toSorted((a, b) => (a.id < b.id ? -1 : 1));
const isLive = ({ state }: { state: BindingState }) => state !== 'unbound';

async function whole(
  ledger: LedgerName,
  asOf: AsOf,
  state?: BindingState,
): Promise<{ asOf: Moment; bindings: { id: string }[] }> {
  const { asOf: moment, pages, close } = answered(await world.past.ledger(ledger, asOf, state));
  const bindings: { id: string }[] = [];
  for await (const page of pages) bindings.push(...page);
  close();
  return { asOf: moment, bindings: byId(bindings) };
}

describe('as of a revision', () => {
  it('every lookup and every listing is the fold of the events up to there', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 25, maxLength: 60 }), fc.boolean(), async (steps, many) => {
        const history = play(steps, many);
        const ledger = await world.add(history);
        for (let revision = 0; revision <= history.revision; revision += 1) {
          const then = bindingsAfter(history, revision);
          for (const state of [undefined, STATES[revision % STATES.length]]) {
            const expected = then.filter((binding) => (state === undefined ? isLive(binding) : binding.state === state));
            expect((await whole(ledger, { revision }, state)).bindings).toEqual(byId(at(ledger, expected)));
          }
          found += await expectLookups(ledger, then.filter(isLive), revision);
        }
      }),
      { numRuns: RUNS },
    );
    expect(found).toBeGreaterThan(RUNS * 20);
  });

  async function expectLookups(ledger: LedgerName, live: readonly Binding[], revision: number): Promise<number> {
    let found = 0;
    for (const externalId of EXTERNALS) {
      const answer = await world.past.toInternal(ledger, externalId, { revision });
      const [holder] = at(
        ledger,
        live.filter((binding) => binding.externalId === externalId),
      );
      if (holder === undefined) expect(answer).toMatchObject({ refused: 'NOT_BOUND', details: { asOf: { revision } } });
      else expect(answer).toEqual({ ...holder, asOf: { revision, at: expect.any(String) as string } });
      found += holder === undefined ? 0 : 1;
    }
    for (const recordId of RECORDS) {
      const answer = await world.past.toExternal(ledger, recordId, { revision });
      const holders = at(
        ledger,
        live.filter((binding) => binding.recordId === recordId),
      );
      if (holders.length === 1) expect(answer).toMatchObject({ ...holders[0], asOf: { revision } });
      else if (holders.length === 0) expect(answer).toMatchObject({ refused: 'NOT_BOUND' });
      else {
        expect(answer).toMatchObject({ refused: 'AMBIGUOUS_RECORD', details: { asOf: { revision } } });
        expect(byId((answer as { candidates: Binding[] }).candidates)).toEqual(byId(holders));
      }
      found += holders.length;
    }
    return found;
  }

  it('a listing is the same when half of it has to be left to another pass, again and again', async () => {
    const spread = new DecidingLedger({ cardinality: 'many' });
    for (let n = 0; n < 1_200; n += 1) spread.do({ op: 'bind', recordId: `s${n % 600}`, externalId: `s${n}`, syncDate: null });
    for (let n = 0; n < 1_200; n += 3) spread.do({ op: 'changeData', bindingId: bindingIdOf(n + 1), data: { n } });
    for (let n = 0; n < 1_200; n += 5) spread.do({ op: 'unbind', bindingId: bindingIdOf(n + 1) });
    const ledger = await world.add(spread);
    const expected = byId(bindingsAfter(spread, spread.revision).filter(isLive));
    const reads: number[] = [];
    for (const maxOpenBytes of [MAX_OPEN_BYTES, 100_000, 40_000]) {
      const told: Binding[] = [];
      let pages = 0;
      for await (const page of bindingsAt(world.store, world.streams.ledger(ledger), spread.revision, { maxOpenBytes })) {
        told.push(...page);
        pages += 1;
      }
      expect(byId(told)).toEqual(expected);
      reads.push(pages);
    }
    expect(reads[1]).toBeGreaterThan(reads[0] as number);
    expect(reads[2]).toBeGreaterThan(reads[1] as number);
  });

  it('a revision that is not there yet is refused', async () => {
    const history = play([], false);
    const ledger = await world.add(history);
    for (const asked of [world.past.toInternal(ledger, 'e1', { revision: 1 }), world.past.ledger(ledger, { revision: 1 })]) {
      expect(await asked).toMatchObject({ refused: 'MALFORMED', detail: expect.stringContaining('no revision 1 yet') as string });
    }
  });

  it('a whole ledger is read once at a time, and again when the reader has gone', async () => {
    const ledger = await world.add(play([], false));
    const first = answered(await world.past.ledger(ledger, { revision: 0 }));
    expect(await world.past.ledger(ledger, { revision: 0 })).toMatchObject({ refused: 'BUSY' });
    first.close();
    const second = answered(await world.past.ledger(ledger, { revision: 0 }));
    first.close();
    expect(await world.past.ledger(ledger, { revision: 0 })).toMatchObject({ refused: 'BUSY' });
    second.close();
    expect((await whole(ledger, { revision: 0 })).bindings).toEqual([]);
  });
});

describe('as of an instant', () => {
  async function timed() {
    const history = new DecidingLedger();
    history.at = minutesAfterStart(10);
    history.do({ op: 'bind', recordId: 'r1', externalId: 'e1', syncDate: null });
    // Three events in one millisecond: what holds is what held after the last of them.
    history.at = minutesAfterStart(20);
    history.do({ op: 'bind', recordId: 'r1', externalId: 'e2', ifBound: 'replace', syncDate: null });
    history.do({ op: 'bind', recordId: 'r2', externalId: 'e1', syncDate: null });
    history.do({ op: 'bind', recordId: 'r3', externalId: 'e1', ifTaken: 'takeOver', syncDate: null });
    history.at = minutesAfterStart(30);
    history.do({ op: 'unbind', externalId: 'e1' });
    return { history, ledger: await world.add(history) };
  }
  const msLater = (instant: string, ms: number) => new Date(Date.parse(instant) + ms).toISOString();

  it('is as of the last event that was recorded up to then', async () => {
    const { ledger } = await timed();
    const who = async (instant: string) => {
      const answer = await world.past.toInternal(ledger, 'e1', { at: instant });
      return isRefusal(answer) ? [answer.refused, answer.details?.['asOf']] : [answer.recordId, answer.asOf];
    };
    const before = { revision: -1, at: null };
    expect(await who(msLater(minutesAfterStart(0), -1))).toEqual(['NOT_BOUND', before]);
    expect(await who(minutesAfterStart(0))).toEqual(['NOT_BOUND', { revision: 0, at: minutesAfterStart(0) }]);
    expect(await who(minutesAfterStart(10))).toEqual(['r1', { revision: 1, at: minutesAfterStart(10) }]);
    expect(await who(msLater(minutesAfterStart(20), -1))).toEqual(['r1', { revision: 1, at: minutesAfterStart(10) }]);
    expect(await who(minutesAfterStart(20))).toEqual(['r3', { revision: 5, at: minutesAfterStart(20) }]);
    expect(await who(msLater(minutesAfterStart(30), -1))).toEqual(['r3', { revision: 5, at: minutesAfterStart(20) }]);
    expect(await who(minutesAfterStart(99))).toEqual(['NOT_BOUND', { revision: 6, at: minutesAfterStart(30) }]);
    expect(await whole(ledger, { at: msLater(minutesAfterStart(0), -1) })).toEqual({ asOf: before, bindings: [] });
    expect((await whole(ledger, { at: minutesAfterStart(20) })).bindings).toHaveLength(2);
  });

  it('is not answered for the future, nor for what may yet change', async () => {
    const { ledger } = await timed();
    const youngest = new Date(world.now - YOUNGEST_MS).toISOString();
    expect(await world.past.toExternal(ledger, 'r1', { at: youngest })).toMatchObject({ recordId: 'r1' });
    for (const young of [msLater(youngest, 1), new Date(world.now).toISOString(), '2999-01-01T00:00:00.000Z']) {
      const refused = { refused: 'MALFORMED', detail: expect.stringContaining('not certain yet') as string };
      expect(await world.past.toExternal(ledger, 'r1', { at: young })).toMatchObject(refused);
      expect(await world.past.ledger(ledger, { at: young })).toMatchObject(refused);
      expect(await world.past.bindingsOfRecord({ localModel: 'res.partner', recordId: 'r1' }, young)).toMatchObject(refused);
    }
  });

  it('finds each instant of a long ledger in a few reads', async () => {
    const history = new DecidingLedger();
    for (let minute = 1; minute <= 3_000; minute += 1) {
      history.at = minutesAfterStart(Math.floor(minute / 3));
      history.do({ op: 'bind', recordId: `r${minute}`, syncDate: null });
    }
    const ledger = await world.add(history);
    for (const minute of [0, 1, 333, 999, 1_000, 5_000]) {
      world.reads = 0;
      const { asOf, close } = answered(await world.past.ledger(ledger, { at: minutesAfterStart(minute) }));
      close();
      expect(asOf.revision).toBe(history.history.findLastIndex(({ stamp }) => stamp.at <= minutesAfterStart(minute)));
      expect(world.reads).toBeLessThan(16);
    }
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { evolve, isBindingEvent, type Binding } from '#domain';
import type { HistoryKey, ToldBy } from '#read-model';
import { AppliedLedger, byId, newName, type Stores } from './applied-ledger.js';
import { EXTERNALS, play, RECORDS, step } from './differing.js';

const RUNS = 10;
/** Of each history, the past is looked at from so many revisions. */
const MOMENTS = 4;
const KEYS: HistoryKey[] = [...RECORDS.map((recordId) => ({ recordId })), ...EXTERNALS.map((externalId) => ({ externalId }))];

/** Revisions of the events that concern a key, told from the events alone. */
function expectedRevisions(ledger: AppliedLedger, key: HistoryKey, after = -1): number[] {
  return ledger.events.flatMap(({ event, stamp }) => {
    if (stamp.revision <= after || !isBindingEvent(event)) return [];
    const { bindingId, recordId, externalId, previousRecordId, previousExternalId } = event.data;
    const concerned =
      'bindingId' in key
        ? bindingId === key.bindingId
        : 'recordId' in key
          ? [recordId, previousRecordId].includes(key.recordId)
          : [externalId, previousExternalId].includes(key.externalId);
    return concerned ? [stamp.revision] : [];
  });
}

/** Every binding that there was at a revision, by id. */
function bindingsAt({ events }: AppliedLedger, revision: number): Binding[] {
  const bindings = new Map<string, Binding>();
  for (const { event, stamp } of events.slice(0, revision + 1)) {
    if (!isBindingEvent(event)) continue;
    const { bindingId } = event.data;
    bindings.set(bindingId, evolve(bindings.get(bindingId), event, stamp));
  }
  return byId([...bindings.values()]);
}

/** A binding as the events at the given revisions tell it. */
function toldBinding({ events }: AppliedLedger, { created, syncDate, data, last }: ToldBy): Partial<Binding> {
  const [creation, dating, filling, newest] = [created, syncDate, data, last].map((revision) => {
    const at = events[revision];
    if (at === undefined || !isBindingEvent(at.event)) throw new Error(`revision ${revision} is of no binding`);
    return { ...at.event.data, stamp: at.stamp };
  });
  const { bindingId: id, recordId, externalId, state, version, stamp } = newest as NonNullable<typeof newest>;
  return {
    id,
    recordId,
    externalId,
    state,
    version,
    revision: stamp.revision,
    updatedAt: stamp.at,
    createdAt: creation?.stamp.at,
    syncDate: dating?.syncDate,
    data: filling?.data,
  };
}

export function remembersHistory(stores: () => Stores): void {
  const history = async (ledger: AppliedLedger, key: HistoryKey, after = -1, limit = 1_000) =>
    (await stores().read.history(ledger.name, key, after, limit)).revisions;

  it('knows nothing of what never was, and says how far it knows', async () => {
    const ledger = await AppliedLedger.open(stores());
    const unknown = { backend: newName(), model: 'shop.product' };
    expect(await stores().read.history(unknown, { recordId: '1' }, -1, 10)).toEqual({ revisions: [], upTo: -1 });
    expect(await stores().read.statesAt(unknown, { recordId: '1' }, 0)).toEqual({ bindings: [], upTo: -1 });
    await ledger.apply();
    for (const key of [{ recordId: '1' }, { externalId: 'A' }, { bindingId: 'none' }]) {
      expect(await stores().read.history(ledger.name, key, -1, 10)).toEqual({ revisions: [], upTo: 0 });
      expect(await stores().read.statesAt(ledger.name, key, 0)).toEqual({ bindings: [], upTo: 0 });
    }
  });

  it('remembers who held a key, through replacement, move, take-over, unbinding and a new binding', async () => {
    const ledger = await AppliedLedger.open(stores());
    const first = ledger.bind('1', 'A');
    ledger.do({ op: 'bind', recordId: '1', externalId: 'B', ifBound: 'replace', syncDate: null });
    await ledger.apply();
    ledger.bind('2', 'A', { syncDate: null });
    ledger.do({ op: 'bind', recordId: '3', externalId: 'A', ifTaken: 'takeOver', syncDate: null });
    ledger.do({ op: 'move', fromRecordId: '3', toRecordId: '4' });
    await ledger.apply();
    ledger.do({ op: 'changeData', recordId: '4', data: { a: 1 } });
    ledger.do({ op: 'unbind', externalId: 'A' });
    const again = ledger.bind('6', 'A', { syncDate: null });
    await ledger.apply();
    expect(await history(ledger, { externalId: 'A' })).toEqual(expectedRevisions(ledger, { externalId: 'A' }));
    expect(await history(ledger, { bindingId: first.id })).toEqual([1, 2]);
    expect(await history(ledger, { recordId: '3' })).toEqual(expectedRevisions(ledger, { recordId: '3' }));
    expect(await history(ledger, { bindingId: again.id })).toHaveLength(1);
  });

  it('has of an external id nothing from before it was assigned', async () => {
    const ledger = await AppliedLedger.open(stores());
    const { id } = ledger.bind('1');
    ledger.do({ op: 'changeData', recordId: '1', data: { a: 1 } });
    ledger.bind('1', 'A', { syncDate: null });
    await ledger.apply();
    expect(await history(ledger, { externalId: 'A' })).toEqual([3]);
    expect(await history(ledger, { bindingId: id })).toEqual([1, 2, 3]);
    expect((await stores().read.statesAt(ledger.name, { externalId: 'A' }, 2)).bindings).toEqual([]);
    expect((await stores().read.statesAt(ledger.name, { externalId: 'A' }, 3)).bindings).toHaveLength(1);
  });

  it('does not answer for revisions that are not applied yet', async () => {
    const ledger = await AppliedLedger.open(stores());
    ledger.bind('1', 'A');
    await ledger.apply();
    expect(await stores().read.statesAt(ledger.name, { recordId: '1' }, 2)).toEqual({ bindings: [], upTo: 1 });
  });

  it('finds the binding that outlasts hundreds of others of its record', async () => {
    const ledger = await AppliedLedger.open(stores(), { cardinality: 'many' });
    const lasting = ledger.bind('1', 'lasting');
    for (let index = 0; index < 300; index += 1) {
      ledger.bind('1', `e${index}`);
      ledger.do({ op: 'unbind', externalId: `e${index}` });
    }
    ledger.do({ op: 'unbind', bindingId: lasting.id });
    await ledger.apply();
    expect(await history(ledger, { recordId: '1' }, -1, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await history(ledger, { recordId: '1' }, 595, 1_000)).toEqual([596, 597, 598, 599, 600, 601, 602]);
    const { bindings } = await stores().read.statesAt(ledger.name, { recordId: '1' }, 400);
    expect(bindings.map(({ created }) => created).sort((a, b) => a - b)).toEqual([1, 400]);
  });

  it('answers every history, and every state of the past, as the fold of the events does', async () => {
    const steps = fc.array(step, { minLength: 30, maxLength: 60 });
    let found = 0;
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), fc.integer({ min: 1, max: 5 }), async (played, many, size) => {
        const ledger = await play(stores(), played, many);
        const keys = [...KEYS, ...[...ledger.bindings.keys()].map((bindingId) => ({ bindingId }))];
        const compare = async (key: HistoryKey): Promise<void> => {
          const expected = expectedRevisions(ledger, key);
          found += expected.length;
          expect(await history(ledger, key), JSON.stringify(key)).toEqual(expected);
          expect(await pages(ledger, key, size), JSON.stringify(key)).toEqual(expected);
        };
        await Promise.all(keys.map(compare));
        const moments = Array.from({ length: MOMENTS }, (_, n) => Math.round((ledger.revision * n) / (MOMENTS - 1)));
        for (const revision of new Set(moments)) await expectStates(ledger, keys, revision);
      }),
      { numRuns: RUNS },
    );
    expect(found).toBeGreaterThan(RUNS * 3);
  });

  async function pages(ledger: AppliedLedger, key: HistoryKey, size: number): Promise<number[]> {
    const all: number[] = [];
    for (;;) {
      const page = await history(ledger, key, all.at(-1) ?? -1, size);
      all.push(...page);
      if (page.length < size) return all;
    }
  }

  async function expectStates(ledger: AppliedLedger, keys: readonly HistoryKey[], revision: number): Promise<void> {
    const then = bindingsAt(ledger, revision);
    const compare = async (key: HistoryKey): Promise<void> => {
      const { bindings, upTo } = await stores().read.statesAt(ledger.name, key, revision);
      const told = bindings.map((each) => toldBinding(ledger, each)).sort((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1));
      const expected = then.filter((binding) =>
        'bindingId' in key
          ? binding.id === key.bindingId
          : binding.state !== 'unbound' &&
            ('recordId' in key ? binding.recordId === key.recordId : binding.externalId === key.externalId),
      );
      expect({ key, revision, upTo, told }).toEqual({ key, revision, upTo: ledger.revision, told: expected.map(plain) });
    };
    await Promise.all(keys.map(compare));
  }
}

function plain({ unboundAt: _at, cause: _cause, reason: _reason, ...binding }: Binding): Partial<Binding> {
  return binding;
}

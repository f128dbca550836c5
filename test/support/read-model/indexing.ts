import { expect, it } from 'vitest';
import type { JsonObject } from '#domain';
import { AppliedLedger, secondsAfterStart, type Stores } from './applied-ledger.js';

const DATA: JsonObject[] = [
  { colour: 'red', size: 1 },
  { colour: 'blue', size: 2.5 },
  { colour: 'Red', size: '1' },
  { colour: 'red ', size: true },
  { colour: ['red'], size: { red: 1 } },
  { colour: null, size: -0 },
  { size: 1e21 },
  {},
];

export function indexing(stores: () => Stores): void {
  async function open(indexes: string[], data = DATA) {
    const ledger = await AppliedLedger.open(stores(), { indexes });
    for (const [index, value] of data.entries()) ledger.bind(`r${index}`, `e${index}`, { data: value });
    await ledger.apply();
    const found = async (filter: Record<string, string>) => {
      const { items } = await stores().read.list(ledger.name, { data: filter }, 100);
      return items.map(({ recordId }) => recordId).sort();
    };
    return { ledger, found };
  }

  it('finds by a field of the data: strings as they are, numbers and booleans as JSON', async () => {
    const { found } = await open(['colour', 'size']);
    expect(await found({ colour: 'red' })).toEqual(['r0']);
    expect(await found({ size: '1' })).toEqual(['r0', 'r2']);
    expect(await found({ size: '2.5' })).toEqual(['r1']);
    expect(await found({ size: 'true' })).toEqual(['r3']);
    expect(await found({ size: '1e+21' })).toEqual(['r6']);
    expect(await found({ colour: 'red', size: '1' })).toEqual(['r0']);
    for (const none of [{ colour: 'null' }, { colour: '["red"]' }, { colour: '' }, { colour: 'red', size: '2' }]) {
      expect(await found(none as Record<string, string>)).toEqual([]);
    }
  });

  it('has fields of any name, whatever an object or a query language makes of it', async () => {
    const names = ['a b', 'a"b', "a'b", 'a]b', 'ä', 'constructor', 'toString', '👩', '0', ''];
    for (const name of names) {
      const { found } = await open([name, 'other'], [{ [name]: 'x' }, { other: 'x' }]);
      expect(await found({ [name]: 'x' })).toEqual(['r0']);
      expect(await found({ other: 'x' })).toEqual(['r1']);
    }
  });

  it('follows changed data, and forgets what is unbound', async () => {
    const { ledger, found } = await open(['colour']);
    ledger.do({ op: 'changeData', recordId: 'r0', data: { colour: 'blue' } });
    ledger.do({ op: 'changeData', recordId: 'r1', data: { colour: null } });
    ledger.do({ op: 'sync', recordId: 'r2', syncDate: secondsAfterStart(5), data: { colour: 'blue' } });
    await ledger.apply();
    expect(await found({ colour: 'red' })).toEqual([]);
    expect(await found({ colour: 'blue' })).toEqual(['r0', 'r2']);
    ledger.do({ op: 'unbind', recordId: 'r0' });
    ledger.do({ op: 'move', fromRecordId: 'r2', toRecordId: 'moved' });
    await ledger.apply();
    expect(await found({ colour: 'blue' })).toEqual(['moved']);
    const former = await stores().read.list(ledger.name, { state: 'unbound', data: { colour: 'blue' } }, 10);
    expect(former.items.map(({ recordId }) => recordId)).toEqual(['r0']);
  });

  it('fills an index that the rules add, from what is there and what comes in the same batch', async () => {
    const { ledger, found } = await open([], [...DATA, ...DATA]);
    ledger.do({ op: 'unbind', recordId: 'r8' });
    ledger.bind('before', 'before', { data: { colour: 'red' } });
    ledger.changeRules({ indexes: ['colour'] });
    ledger.bind('behind', 'behind', { data: { colour: 'red' } });
    ledger.do({ op: 'changeData', recordId: 'r1', data: { colour: 'red' } });
    await ledger.apply();
    expect(await found({ colour: 'red' })).toEqual(['before', 'behind', 'r0', 'r1']);
    ledger.bind('later', 'later', { data: { colour: 'red' } });
    await ledger.apply();
    expect(await found({ colour: 'red' })).toEqual(['before', 'behind', 'later', 'r0', 'r1']);
  });

  it('takes an index away, and fills it anew when it comes back', async () => {
    const { ledger, found } = await open(['colour', 'size']);
    ledger.changeRules({ indexes: ['size'] });
    ledger.do({ op: 'changeData', recordId: 'r0', data: { colour: 'green' } });
    await ledger.apply();
    ledger.do({ op: 'unbind', recordId: 'r2' });
    ledger.changeRules({ indexes: ['size', 'colour'] });
    await ledger.apply();
    expect(await found({ colour: 'red' })).toEqual([]);
    expect(await found({ colour: 'green' })).toEqual(['r0']);
    expect(await found({ colour: 'Red' })).toEqual([]);
    expect(await found({ size: '1' })).toEqual(['r0']);
  });

  it('fills an index over thousands', async () => {
    const { ledger, found } = await open([], []);
    for (let index = 0; index < 2_100; index += 1) ledger.bind(`r${index}`, `e${index}`, { data: { n: index % 700 } });
    await ledger.apply();
    ledger.changeRules({ indexes: ['n'] });
    await ledger.apply();
    expect(await found({ n: '699' })).toEqual(['r1399', 'r2099', 'r699']);
    expect(await found({ n: '0' })).toEqual(['r0', 'r1400', 'r700']);
  });
}

import { describe, expect, it } from 'vitest';
import { isRefusal, MAX_DATA_BYTES, type Refusal } from '#domain';
import { parseCommand } from './index.js';

function refusalOf(input: unknown): Refusal {
  const parsed = parseCommand(input);
  if (!isRefusal(parsed)) throw new Error('it was admitted');
  return parsed;
}

const nested = (depth: number): unknown => (depth === 0 ? 1 : { inner: nested(depth - 1) });

describe('a line that is a command', () => {
  it.each([
    [
      { op: 'bind', recordId: 7, externalId: 0 },
      { op: 'bind', recordId: '7', externalId: '0' },
    ],
    [
      { op: 'bind', recordId: 'r' },
      { op: 'bind', recordId: 'r' },
    ],
    [
      { op: 'bind', recordId: 'r', externalId: 'guestorder:145000008', syncDate: null },
      { op: 'bind', recordId: 'r', externalId: 'guestorder:145000008', syncDate: null },
    ],
    [
      { op: 'bind', bindingId: 'b', externalId: 'a/b?c', ifBound: 'replace', ifTaken: 'takeOver' },
      { op: 'bind', bindingId: 'b', externalId: 'a/b?c', ifBound: 'replace', ifTaken: 'takeOver' },
    ],
    [
      { op: 'sync', externalId: 'e', syncDate: '2026-03-03T09:30:00+01:00', data: { a: null }, force: true },
      { op: 'sync', externalId: 'e', syncDate: '2026-03-03T08:30:00.000Z', data: { a: null }, force: true },
    ],
    [
      { op: 'changeData', bindingId: 'b', data: {} },
      { op: 'changeData', bindingId: 'b', data: {} },
    ],
    [
      { op: 'unbind', recordId: 'r', cause: 'missingInBackend' },
      { op: 'unbind', recordId: 'r', cause: 'missingInBackend' },
    ],
    [
      { op: 'move', fromRecordId: 1, toRecordId: 2 },
      { op: 'move', fromRecordId: '1', toRecordId: '2' },
    ],
  ])('%j', (input, expected) => {
    expect(parseCommand(input)).toEqual(expected);
  });

  it('takes the options of every command', () => {
    const options = { key: 'k', expectedVersion: 3, ifBinding: 'b', reason: 'why', direction: 'import' };
    for (const command of [
      { op: 'bind', recordId: 'r' },
      { op: 'sync', recordId: 'r' },
      { op: 'changeData', recordId: 'r', data: {} },
      { op: 'unbind', recordId: 'r' },
      { op: 'move', fromRecordId: 'r', toRecordId: 's' },
    ]) {
      expect(parseCommand({ ...command, ...options })).toEqual({ ...command, ...options });
    }
  });
});

describe('a line that is none', () => {
  const bind = { op: 'bind', recordId: 'r', externalId: 'e' };
  it.each<[string, unknown, string, string]>([
    ['null', null, 'MALFORMED', ''],
    ['a list', [bind], 'MALFORMED', ''],
    ['text', 'bind', 'MALFORMED', ''],
    ['no op', { recordId: 'r' }, 'MALFORMED', '/op'],
    ['an unknown op', { op: 'delete', recordId: 'r' }, 'MALFORMED', '/op'],
    ['an unknown field', { ...bind, colour: 'red' }, 'MALFORMED', '/colour'],
    ['a field of another command', { ...bind, force: true }, 'MALFORMED', '/force'],
    ['__proto__', JSON.parse('{"op":"bind","recordId":"r","__proto__":{"externalId":"e"}}'), 'MALFORMED', '/__proto__'],
    ['an empty id', { ...bind, externalId: '' }, 'INVALID_ID', '/externalId'],
    ['a dot', { ...bind, externalId: '.' }, 'INVALID_ID', '/externalId'],
    ['two dots', { ...bind, recordId: '..' }, 'INVALID_ID', '/recordId'],
    ['null for an id', { ...bind, externalId: null }, 'INVALID_ID', '/externalId'],
    ['false for an id', { ...bind, externalId: false }, 'INVALID_ID', '/externalId'],
    ['a fraction for an id', { ...bind, externalId: 1.5 }, 'INVALID_ID', '/externalId'],
    ['an unsafe integer for an id', { ...bind, externalId: 2 ** 53 }, 'INVALID_ID', '/externalId'],
    ['a control character', { ...bind, externalId: 'a\u0000b' }, 'INVALID_ID', '/externalId'],
    ['a lone surrogate', { ...bind, externalId: '\ud800' }, 'INVALID_ID', '/externalId'],
    ['an id of 513 bytes', { ...bind, externalId: 'é'.repeat(256) + 'x' }, 'INVALID_ID', '/externalId'],
    ['a date without zone', { ...bind, syncDate: '2026-03-03T09:30:00' }, 'INVALID_SYNC_DATE', '/syncDate'],
    ['a date that is none', { ...bind, syncDate: '2026-02-30T00:00:00Z' }, 'INVALID_SYNC_DATE', '/syncDate'],
    ['a number for a date', { ...bind, syncDate: 1_772_530_200 }, 'INVALID_SYNC_DATE', '/syncDate'],
    ['no date to sync to', { op: 'sync', recordId: 'r', syncDate: null }, 'INVALID_SYNC_DATE', '/syncDate'],
    ['data that is a list', { ...bind, data: [] }, 'INVALID_DATA', '/data'],
    ['data that is null', { ...bind, data: null }, 'INVALID_DATA', '/data'],
    ['data with an operator', { ...bind, data: { $set: 1 } }, 'INVALID_DATA', '/data'],
    ['data with a dot', { ...bind, data: { 'a.b': 1 } }, 'INVALID_DATA', '/data'],
    ['data with __proto__', { ...bind, data: JSON.parse('{"__proto__":{}}') }, 'INVALID_DATA', '/data'],
    ['data that is too deep', { ...bind, data: nested(17) }, 'INVALID_DATA', '/data'],
    ['data that is too large', { ...bind, data: { text: 'x'.repeat(MAX_DATA_BYTES) } }, 'INVALID_DATA', '/data'],
    ['an unknown choice', { ...bind, ifTaken: 'replace' }, 'MALFORMED', '/ifTaken'],
    ['an unknown direction', { ...bind, direction: 'sideways' }, 'MALFORMED', '/direction'],
    ["a cause that is the ledger's own", { op: 'unbind', recordId: 'r', cause: 'takenOver' }, 'MALFORMED', '/cause'],
    ['a field of the program itself', { op: 'unbind', recordId: 'r', all: true }, 'MALFORMED', '/all'],
    ['a version that is text', { ...bind, expectedVersion: '3' }, 'MALFORMED', '/expectedVersion'],
    ['an empty key', { ...bind, key: '' }, 'MALFORMED', '/key'],
    ['a long key', { ...bind, key: 'k'.repeat(256) }, 'MALFORMED', '/key'],
    ['a long reason', { ...bind, reason: 'x'.repeat(501) }, 'MALFORMED', '/reason'],
    ['force that is no flag', { op: 'sync', recordId: 'r', force: 'yes' }, 'MALFORMED', '/force'],
    ['a bind of nothing', { op: 'bind', externalId: 'e' }, 'MALFORMED', ''],
    ['a bind of two', { ...bind, bindingId: 'b' }, 'MALFORMED', ''],
    ['a bind of a binding to nothing', { op: 'bind', bindingId: 'b' }, 'MALFORMED', ''],
    ['no target', { op: 'sync' }, 'MALFORMED', ''],
    ['two targets', { op: 'sync', recordId: 'r', externalId: 'e' }, 'MALFORMED', ''],
    ['three targets', { op: 'unbind', recordId: 'r', externalId: 'e', bindingId: 'b' }, 'MALFORMED', ''],
    ['no data to change', { op: 'changeData', recordId: 'r' }, 'INVALID_DATA', '/data'],
    ['a move from nowhere', { op: 'move', toRecordId: 's' }, 'MALFORMED', ''],
    ['a move from two', { op: 'move', fromRecordId: 'r', bindingId: 'b', toRecordId: 's' }, 'MALFORMED', ''],
    ['a move to nowhere', { op: 'move', fromRecordId: 'r' }, 'INVALID_ID', '/toRecordId'],
  ])('%s', (_what, input, code, path) => {
    const refusal = refusalOf(input);
    expect(refusal.refused).toBe(code);
    expect(refusal.errors?.map((error) => error.path)).toContain(path);
  });

  it('is malformed when several things are wrong in different ways, and names each', () => {
    const refusal = refusalOf({ op: 'bind', recordId: '', syncDate: 'yesterday' });
    expect(refusal.refused).toBe('MALFORMED');
    expect(refusal.errors?.map(({ path }) => path).sort()).toEqual(['/recordId', '/syncDate']);
  });

  it('is refused in few and short words, whatever it holds', () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`field-${'x'.repeat(500)}-${index}`, 1]));
    const refusal = refusalOf({ op: 'bind', recordId: 'r', ...many, data: { secret: 'hunter2'.repeat(10_000) } });
    const text = JSON.stringify(refusal);
    expect(text.length).toBeLessThan(10_000);
    expect(text).not.toContain('hunter2');
  });
});

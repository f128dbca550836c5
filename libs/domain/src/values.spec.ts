import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_ID_BYTES, MAX_NAME_LENGTH, parseId, parseInstant, parseName } from './values.js';

const show = (value: unknown) =>
  typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value)?.slice(0, 60) ?? String(value));

describe('names', () => {
  const valid = [
    'a',
    'shop',
    'magento.res.partner',
    'erp_2',
    'a-b',
    'eu-shop-1',
    'a.',
    'x'.repeat(MAX_NAME_LENGTH),
    'a-_',
    'a-.b',
  ];
  it.each(valid.map((name) => [name]))('admits %s', (name) => expect(parseName(name)).toEqual({ value: name }));

  const refused: unknown[] = [
    '',
    'A',
    'Shop',
    '1shop',
    '_a',
    '.a',
    '-a',
    'a-',
    'a--b',
    'a/b',
    'a b',
    'a\n',
    'a:b',
    'café',
    'ａ',
    'x'.repeat(MAX_NAME_LENGTH + 1),
    7,
    null,
    undefined,
    ['a'],
  ];
  it.each(refused.map((name) => [show(name), name]))('refuses %s', (_, name) =>
    expect(parseName(name)).toEqual({ problem: expect.any(String) }),
  );

  it('refuses a hostile name quickly', () => expect(parseName(`${'a-'.repeat(49)}!`).problem).toBeDefined());
});

describe('ids', () => {
  const valid: [unknown, string][] = [
    ['879', '879'],
    ['guestorder:145000008', 'guestorder:145000008'],
    ['100000200-1', '100000200-1'],
    ['a/b?c', 'a/b?c'],
    ['%2F', '%2F'],
    ['...', '...'],
    ['.a', '.a'],
    [' ', ' '],
    [' padded ', ' padded '],
    ['null', 'null'],
    ['false', 'false'],
    ['__proto__', '__proto__'],
    ['$where', '$where'],
    ['0', '0'],
    ['007', '007'],
    ['日本', '日本'],
    ['👩‍👩‍👧', '👩‍👩‍👧'],
    ['\u2028', '\u2028'],
    [0, '0'],
    [-0, '0'],
    [-5, '-5'],
    [879, '879'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [Number.MIN_SAFE_INTEGER, '-9007199254740991'],
    ['9007199254740993', '9007199254740993'],
    ['x'.repeat(MAX_ID_BYTES), 'x'.repeat(MAX_ID_BYTES)],
    ['é'.repeat(MAX_ID_BYTES / 2), 'é'.repeat(MAX_ID_BYTES / 2)],
    [`${'€'.repeat(170)}ab`, `${'€'.repeat(170)}ab`],
    ['😀'.repeat(MAX_ID_BYTES / 4), '😀'.repeat(MAX_ID_BYTES / 4)],
  ];
  it.each(valid.map(([given, id]) => [show(given), given, id] as const))('admits %s', (_, given, id) =>
    expect(parseId(given)).toEqual({ value: id }),
  );

  const refused: unknown[] = [
    '',
    '.',
    '..',
    null,
    undefined,
    false,
    true,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER + 1,
    Number.MIN_SAFE_INTEGER - 1,
    1e21,
    10n,
    ['1'],
    { id: '1' },
    '\0',
    'a\nb',
    'a\tb',
    'a\r',
    '\u001f',
    '\u007f',
    '\u0080',
    '\u009f',
    '\ud800',
    'a\udc00b',
    '\udc00\ud800',
    'x'.repeat(MAX_ID_BYTES + 1),
    'é'.repeat(MAX_ID_BYTES / 2 + 1),
    `${'€'.repeat(170)}abc`,
    `${'😀'.repeat(MAX_ID_BYTES / 4)}a`,
  ];
  it.each(refused.map((id) => [show(id), id]))('refuses %s', (_, id) =>
    expect(parseId(id)).toEqual({ problem: expect.any(String) }),
  );

  it('keeps what looks alike apart: nothing is normalised', () => {
    expect('e\u0301'.normalize()).toBe('é');
    expect(parseId('e\u0301')).toEqual({ value: 'e\u0301' });
    expect(parseId('ﬁ')).toEqual({ value: 'ﬁ' });
    expect(parseId('A')).not.toEqual(parseId('a'));
  });

  it('takes any text within its rules as it is, and no other', () => {
    const letter = fc.integer({ min: 0x4a, max: 0x180 }).map((unit) => (unit < 0xa0 ? unit - 0x2a : unit));
    const trouble = fc.oneof(fc.nat(0xa0), fc.integer({ min: 0xd7fe, max: 0xe001 }));
    const units = fc.array(fc.oneof({ arbitrary: letter, weight: 300 }, { arbitrary: trouble, weight: 1 }), {
      maxLength: 400,
      size: 'max',
    });
    const text = units.map((codes) => String.fromCharCode(...codes));
    const control = (unit: number) => unit < 0x20 || (unit >= 0x7f && unit < 0xa0);
    fc.assert(
      fc.property(text, (id) => {
        const wellFormed = Buffer.from(id).toString() === id;
        const printable = !Array.from(id, (letter) => letter.charCodeAt(0)).some(control);
        const admitted = wellFormed && printable && !['', '.', '..'].includes(id) && Buffer.byteLength(id) <= 512;
        expect(parseId(id)).toEqual(admitted ? { value: id } : { problem: expect.any(String) });
      }),
      { numRuns: 500 },
    );
  });
});

describe('instants', () => {
  const valid: [string, string][] = [
    ['2026-03-03T09:30:00Z', '2026-03-03T09:30:00.000Z'],
    ['2026-03-03t09:30:00z', '2026-03-03T09:30:00.000Z'],
    ['2026-03-03T09:30Z', '2026-03-03T09:30:00.000Z'],
    ['2026-03-03T09:30:00+00:00', '2026-03-03T09:30:00.000Z'],
    ['2026-03-03T09:30:00-00:00', '2026-03-03T09:30:00.000Z'],
    ['2026-03-03T09:30:00+02:00', '2026-03-03T07:30:00.000Z'],
    ['2026-03-03T09:30:00+0200', '2026-03-03T07:30:00.000Z'],
    ['2026-03-03T09:30:00+02', '2026-03-03T07:30:00.000Z'],
    ['2026-03-03T09:30:00-05:45', '2026-03-03T15:15:00.000Z'],
    ['2026-01-01T00:00:00+14:00', '2025-12-31T10:00:00.000Z'],
    ['2026-12-31T23:59:59.999-12:00', '2027-01-01T11:59:59.999Z'],
    ['2026-03-03T09:30:00+23:59', '2026-03-02T09:31:00.000Z'],
    ['2026-03-03T09:30:00.5Z', '2026-03-03T09:30:00.500Z'],
    ['2026-03-03T09:30:00,25Z', '2026-03-03T09:30:00.250Z'],
    ['2026-03-03T09:30:00.123456Z', '2026-03-03T09:30:00.123Z'],
    ['2026-03-03T09:30:00.999999999Z', '2026-03-03T09:30:00.999Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T23:59:59Z', '2000-02-29T23:59:59.000Z'],
    ['2026-02-28T23:59:59-00:01', '2026-03-01T00:00:59.000Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
    ['0100-01-01T00:00:00Z', '0100-01-01T00:00:00.000Z'],
    ['0100-01-01T00:00:00+14:00', '0099-12-31T10:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ];
  it.each(valid)('reads %s as %s', (given, instant) => expect(parseInstant(given)).toEqual({ value: instant }));

  const refused: unknown[] = [
    '',
    '2026-03-03',
    '2026-03-03T09:30:00',
    '2026-03-03T09:30:00.000',
    '2026-03-03 09:30:00Z',
    '20260303T093000Z',
    '2026-3-3T09:30:00Z',
    '2026-03-03T09Z',
    '2026-03-03T09:30:00 Z',
    ' 2026-03-03T09:30:00Z',
    '2026-03-03T09:30:00Z\n',
    '2026-03-03T09:30:00.Z',
    '2026-03-03T09:30:00.1234567890Z',
    '2026-03-03T09:30.5Z',
    '2026-03-03T09:30:00+2:00',
    '2026-03-03T09:30:00+02:0',
    '2026-03-03T09:30:00+24:00',
    '2026-03-03T09:30:00+02:60',
    '2026-03-03T09:30:00−02:00',
    '2026-03-03T09:30:00 Europe/Paris',
    '2026-03-03T24:00:00Z',
    '2026-03-03T25:00:00Z',
    '2026-03-03T09:60:00Z',
    '2026-12-31T23:59:60Z',
    '2026-00-15T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-03-00T00:00:00Z',
    '2026-03-32T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2024-02-30T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '0099-12-31T23:59:59Z',
    '10000-01-01T00:00:00Z',
    '+002026-03-03T09:30:00Z',
    '-2026-03-03T09:30:00Z',
    '9999-12-31T23:59:59-00:01',
    '٢٠٢٦-03-03T09:30:00Z',
    1772530200000,
    new Date(0),
    null,
    undefined,
  ];
  it.each(refused.map((instant) => [show(instant), instant]))('refuses %s', (_, instant) =>
    expect(parseInstant(instant)).toEqual({ problem: expect.any(String) }),
  );

  const anyDate = fc.date({
    min: new Date('0100-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });

  it('leaves what it wrote as it is', () => {
    fc.assert(
      fc.property(anyDate, (date) => {
        expect(parseInstant(date.toISOString())).toEqual({ value: date.toISOString() });
      }),
    );
  });

  it('reads the same instant whatever the zone it is told in', () => {
    const minutes = fc.integer({ min: -14 * 60, max: 14 * 60 });
    const inside = fc.date({ min: new Date('0101-01-01T00:00:00Z'), max: new Date('9998-12-31T00:00:00Z'), noInvalidDate: true });
    fc.assert(
      fc.property(inside, minutes, (date, offset) => {
        const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const [hours, rest] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map((part) =>
          String(part).padStart(2, '0'),
        );
        expect(parseInstant(`${local}${offset < 0 ? '-' : '+'}${hours}:${rest}`)).toEqual({ value: date.toISOString() });
      }),
    );
  });

  it('admits a day if, and only if, the calendar has it', () => {
    const part = (max: number) => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 9999 }), part(14), part(33), (year, month, day) => {
        const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
        const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
        const text = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T12:00:00.000Z`;
        expect(parseInstant(text)).toEqual(day >= 1 && day <= days ? { value: text } : { problem: expect.any(String) });
      }),
      { numRuns: 1_000 },
    );
  });
});

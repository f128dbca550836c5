import { Readable } from 'node:stream';
import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { LedgerError } from '#client';
import { collect, count, fieldFilter, jsonObject, names, passwordOf, targetOf, version } from './arguments.js';
import { EXIT, exitCodeOf, isBrokenPipe, sentenceOf, UsageError } from './exit-codes.js';
import { csvText } from './export.js';
import { createProgram } from './program.js';
import { placeOf } from './session.js';
import { details, MAX_CELL_LENGTH, Table } from './table.js';

const refusal = (code: string, status: number, retryable = false) => new LedgerError({ code, status, detail: 'why', retryable });

describe('arguments', () => {
  it('takes JSON objects and nothing else', () => {
    expect(jsonObject('{"a":[1]}')).toEqual({ a: [1] });
    for (const wrong of ['', '1', 'null', '[]', '{']) expect(() => jsonObject(wrong), wrong).toThrow(InvalidArgumentError);
    expect(() => jsonObject('@/no/such/file')).toThrow(UsageError);
  });

  it('takes counts, lists, versions and filters', () => {
    expect(count('12')).toBe(12);
    for (const wrong of ['', '-1', '1.5', '1e3', '9007199254740993', 'x'])
      expect(() => count(wrong), wrong).toThrow(InvalidArgumentError);
    expect(names('a, b')).toEqual(['a', 'b']);
    expect(() => names('a,,b')).toThrow(InvalidArgumentError);
    expect(collect('b', collect('a'))).toEqual(['a', 'b']);
    expect(version('2=Two=2', version('1'))).toEqual([
      { value: '1', label: '1' },
      { value: '2', label: 'Two=2' },
    ]);
    expect(fieldFilter('b==', fieldFilter('a='))).toEqual({ a: '', b: '=' });
    expect(() => fieldFilter('=x')).toThrow(InvalidArgumentError);
  });

  it('names a binding in exactly one way', () => {
    expect(targetOf({ record: '1' })).toEqual({ recordId: '1' });
    expect(targetOf({ external: 'a' })).toEqual({ externalId: 'a' });
    expect(targetOf({ binding: 'b' })).toEqual({ bindingId: 'b' });
    expect(() => targetOf({})).toThrow(UsageError);
    expect(() => targetOf({ record: '1', external: 'a' })).toThrow(UsageError);
  });

  it('reads a password from standard input or a variable', async () => {
    expect(await passwordOf({ passwordStdin: true }, Readable.from(['se ', 'cret\n']))).toBe('se cret');
    expect(await passwordOf({})).toBeUndefined();
    await expect(passwordOf({ passwordEnv: 'NO_SUCH_VARIABLE' })).rejects.toThrow(UsageError);
    await expect(passwordOf({ passwordEnv: 'A', passwordStdin: true })).rejects.toThrow(UsageError);
  });

  it('chooses the ledger: options before variables, a URL before a folder', () => {
    expect(placeOf({}, {})).toEqual({ folder: './data' });
    expect(placeOf({}, { LEDGER_DATA: 'd', LEDGER_URL: '' })).toEqual({ folder: 'd' });
    expect(placeOf({}, { LEDGER_DATA: 'd', LEDGER_URL: 'u' })).toEqual({ url: 'u' });
    expect(placeOf({ data: 'e' }, { LEDGER_URL: 'u' })).toEqual({ folder: 'e' });
    expect(() => placeOf({ data: 'e', url: 'u' }, {})).toThrow(UsageError);
  });
});

describe('the program', () => {
  it('has a description for every command and option', () => {
    const all = (command: ReturnType<typeof createProgram>): (typeof command)[] => [
      command,
      ...command.commands.flatMap((each) => all(each as typeof command)),
    ];
    const commands = all(createProgram());
    expect(commands.length).toBeGreaterThan(25);
    expect(commands.filter((command) => command.description() === '').map((command) => command.name())).toEqual([]);
    expect(commands.flatMap((command) => command.options).filter(({ description }) => description === '')).toEqual([]);
  });

  it('has no option that takes a password', () => {
    const options = createProgram().commands.flatMap((group) => group.commands.flatMap((command) => command.options));
    const passwords = options.filter(({ long }) => long?.includes('password')).map(({ flags }) => flags);
    expect(new Set(passwords)).toEqual(new Set(['--password-stdin', '--password-env <variable>']));
  });
});

describe('exit codes', () => {
  it.each([
    [new UsageError('x'), EXIT.usage],
    [refusal('NOT_BOUND', 404), EXIT.notFound],
    [refusal('BACKEND_TYPE_NOT_FOUND', 404), EXIT.notFound],
    [refusal('RECORD_ALREADY_BOUND', 409), EXIT.refused],
    [refusal('INVALID_ID', 0), EXIT.refused],
    [refusal('BACKEND_PAUSED', 409, true), EXIT.unavailable],
    [refusal('UNREACHABLE', 0, true), EXIT.unavailable],
    [refusal('UNEXPECTED_ANSWER', 200), EXIT.failed],
    [refusal('INTERNAL', 500), EXIT.failed],
    [Object.assign(new Error('x'), { name: 'EventStoreError', code: 'IN_USE' }), EXIT.unavailable],
    [new Error('x'), EXIT.failed],
    ['x', EXIT.failed],
  ])('%s: %i', (error, code) => expect(exitCodeOf(error)).toBe(code));

  it('says what went wrong in one line', () => {
    expect(sentenceOf(new Error('one\ntwo'))).toBe('one');
    expect(sentenceOf(refusal('NOT_BOUND', 404))).toBe('NOT_BOUND: why');
    const errors = [{ path: '/a', message: 'must be b' }];
    const malformed = { code: 'MALFORMED', status: 400, retryable: false, errors };
    expect(sentenceOf(new LedgerError({ ...malformed, detail: '/a: must be b' }))).toBe('MALFORMED: /a: must be b');
    expect(sentenceOf(new LedgerError({ ...malformed, detail: 'no' }))).toBe('MALFORMED: no (/a must be b)');
    expect(isBrokenPipe(Object.assign(new Error('x'), { code: 'EPIPE' }))).toBe(true);
    expect(isBrokenPipe(new Error('EPIPE'))).toBe(false);
  });
});

describe('tables', () => {
  it('align their columns and say "-" for nothing', () => {
    const table = new Table<{ a: string; b: unknown }>([
      ['first', ({ a }) => a],
      ['b', ({ b }) => b],
    ]);
    expect(table.text([{ a: 'x', b: null }])).toBe('first  b\nx      -\n');
    // Without a second header; a wider cell widens what follows.
    expect(
      table.text([
        { a: 'longer', b: { c: 0 } },
        { a: 'y', b: 0 },
      ]),
    ).toBe('longer  {"c":0}\ny       0\n');
  });

  it('have room beforehand for rows that come one by one', () => {
    const columns = [['a', (cell: string) => cell, 4] as const, ['b', () => 1] as const];
    const [alone, together] = [new Table<string>(columns, { keepsItsWidths: true }), new Table<string>(columns)];
    expect([alone.text(['x']), alone.text(['xxxx'])]).toEqual(['a     b\nx     1\n', 'xxxx  1\n']);
    expect(together.text(['x'])).toBe('a  b\nx  1\n');
  });

  it('cut long cells', () => {
    const text = new Table<string>([['a', (cell) => cell]]).text(['x'.repeat(100)]);
    expect(text.split('\n')[1]).toBe(`${'x'.repeat(MAX_CELL_LENGTH - 1)}…`);
  });

  it('show one thing, a member a line', () =>
    expect(details({ a: 1, longer: {}, no: undefined })).toBe('a       1\nlonger  -\n'));
});

describe('exported CSV', () => {
  const binding = {
    id: 'b',
    backend: 's',
    model: 'm',
    localModel: null,
    recordId: '1',
    externalId: null,
    syncDate: null,
    data: { x: 'a "b"', n: 1 },
    state: 'pending',
    version: 1,
    revision: 1,
    createdAt: 'c',
    updatedAt: 'u',
  } as const;

  it('keeps the data as JSON, or as columns', () => {
    expect(csvText([binding], undefined)).toBe('1,,pending,,b,c,u,"{""x"":""a \\""b\\"""",""n"":1}"\n');
    expect(csvText([binding], ['x', 'n', 'z'])).toBe('1,,pending,,b,c,u,"a ""b""",1,\n');
  });
});

import { describe, expect, it } from 'vitest';
import type { BackendType } from './backend-type.js';
import {
  concludeRetirement,
  decideChange,
  decideCredentialsRead,
  decideLedger,
  decidePause,
  decideRegistration,
  decideRetirement,
  replacesSecrets,
  type BackendCircumstances,
  type ChangeBackend,
  type RegisterBackend,
} from './backend-decide.js';
import { NO_SECRETS, backendStatusOf, evolveBackend, type BackendEvent, type BackendState } from './backend.js';
import type { BindingModel } from './binding-model.js';
import { MAX_LOCATION_LENGTH, problemOfLocation } from './location.js';
import { isRefusal } from './refusals.js';
import type { JsonObject } from './values.js';

const TYPE: BackendType = {
  type: 'shop',
  label: 'Shop',
  versions: [{ value: '1.7', label: '1.7' }],
  settingsSchema: { properties: { key: { 'x-secret': true }, lang: {} } },
};
const REGISTER: RegisterBackend = { id: 'berlin', type: 'shop', location: 'https://shop.example.com' };
const validator = {
  problemsOfSchema: () => [],
  problemsOf: (_schema: JsonObject, settings: JsonObject) =>
    settings.lang === 'xx' ? [{ path: '/lang', message: 'unknown' }] : [],
};
const circumstances = (more: Partial<BackendCircumstances> = {}): BackendCircumstances => ({
  validator,
  type: TYPE,
  secrets: NO_SECRETS,
  newSecretVersion: 'v2',
  ...more,
});
const after = (state: BackendState | undefined, events: BackendEvent[], first = 0) =>
  events.reduce<BackendState | undefined>(
    (now, event, index) => evolveBackend(now, event, { revision: first + index, at: `t${first + index}` }),
    state,
  ) as BackendState;

function decided<T extends object>(answer: T): Exclude<T, { refused: unknown }> {
  if (isRefusal(answer)) throw new Error(JSON.stringify(answer));
  return answer as Exclude<T, { refused: unknown }>;
}
const codeOf = (answer: object) => (isRefusal(answer) ? answer.refused : 'done');
const registered = (command: Partial<RegisterBackend> = {}) =>
  after(undefined, decided(decideRegistration(undefined, { ...REGISTER, ...command }, circumstances())).events);
const BERLIN = registered();
const event = (type: BackendEvent['type'], data: object = {}) => ({ type, data }) as BackendEvent;
const RETIRING = after(BERLIN, [event('BackendRetiring')], 4);
const RETIRED = after(RETIRING, [event('BackendRetired')], 5);

describe('registration', () => {
  it('fills in what is not given', () => {
    const { events, secrets } = decided(decideRegistration(undefined, REGISTER, circumstances()));
    expect(events).toEqual([
      {
        type: 'BackendRegistered',
        data: {
          id: 'berlin',
          type: 'shop',
          name: 'berlin',
          location: 'https://shop.example.com',
          version: null,
          username: null,
          settings: {},
        },
      },
    ]);
    expect(secrets).toBeUndefined();
  });

  it('takes secrets out before any event is made', () => {
    const command = { ...REGISTER, password: 'classified-1', settings: { key: 'classified-2', lang: 'de' } };
    const { events, secrets } = decided(decideRegistration(undefined, command, circumstances()));
    expect(JSON.stringify(events)).not.toContain('classified');
    expect(events[1]).toEqual({
      type: 'CredentialsChanged',
      data: { hasPassword: true, secretNames: ['key'], secretVersion: 'v2' },
    });
    expect(secrets).toEqual({ password: 'classified-1', settings: { key: 'classified-2' } });
  });

  it.each<[string, Partial<RegisterBackend>, string, Partial<BackendCircumstances>?]>([
    ['a bad id', { id: 'a/b' }, 'INVALID_ID'],
    ['an unknown type', {}, 'BACKEND_TYPE_NOT_FOUND', { type: undefined }],
    ['no location', { location: '' }, 'INVALID_LOCATION'],
    ['an unknown version', { version: '9' }, 'UNKNOWN_VERSION'],
    ['an empty name', { name: '' }, 'MALFORMED'],
    ['a name with a control character', { name: 'a\u0007' }, 'MALFORMED'],
    ['an empty username', { username: '' }, 'MALFORMED'],
    ['an empty password', { password: '' }, 'MALFORMED'],
    ['a password without end', { password: 'x'.repeat(5_000) }, 'MALFORMED'],
    ['settings that do not match', { settings: { lang: 'xx' } }, 'INVALID_SETTINGS'],
    ['settings that are a list', { settings: [] as unknown as JsonObject }, 'INVALID_SETTINGS'],
    ['settings with an operator', { settings: { $set: 1 } }, 'INVALID_SETTINGS'],
    ['settings with a prototype', { settings: JSON.parse('{"__proto__": {"a": 1}}') as JsonObject }, 'INVALID_SETTINGS'],
  ])('is refused with %s', (_what, command, code, more) => {
    expect(codeOf(decideRegistration(undefined, { ...REGISTER, ...command }, circumstances(more)))).toBe(code);
  });

  it('never takes an id again, also that of a retired backend', () => {
    for (const state of [BERLIN, RETIRING, RETIRED])
      expect(codeOf(decideRegistration(state, REGISTER, circumstances()))).toBe('BACKEND_EXISTS');
  });
});

describe('a change', () => {
  const change = (state: BackendState, command: ChangeBackend, more?: Partial<BackendCircumstances>) =>
    decideChange(state, command, circumstances(more));

  it('tells what differs and nothing else', () => {
    const { events } = decided(change(BERLIN, { name: 'Berlin', location: BERLIN.location, version: '1.7', username: null }));
    expect(events).toEqual([{ type: 'BackendChanged', data: { name: 'Berlin', version: '1.7' } }]);
    expect(decided(change(BERLIN, {})).events).toEqual([]);
  });

  it('leaves a version alone that is not on offer any more, until another is chosen', () => {
    const state = after(BERLIN, [event('BackendChanged', { version: '1.0' })], 1);
    expect(codeOf(change(state, { name: 'B', version: '1.0' }))).toBe('done');
    expect(codeOf(change(state, { version: '0.9' }))).toBe('UNKNOWN_VERSION');
  });

  it('does not touch secrets that it was not given to see', () => {
    const state = after(
      BERLIN,
      [event('CredentialsChanged', { hasPassword: true, secretNames: ['key'], secretVersion: 'v1' })],
      1,
    );
    expect(decided(change(state, { name: 'B' })).events.map(({ type }) => type)).toEqual(['BackendChanged']);
    const secrets = { password: 'p', settings: { key: 'k' } };
    expect(decided(change(state, { password: 'q' }, { secrets }))).toMatchObject({
      events: [{ data: { secretNames: ['key'] } }],
      secrets: { password: 'q', settings: { key: 'k' } },
    });
    expect(decided(change(state, { password: 'p', settings: {} }, { secrets })).events).toEqual([]);
    expect(decided(change(state, { password: null, settings: { key: null } }, { secrets }))).toEqual({
      events: [{ type: 'CredentialsChanged', data: { hasPassword: false, secretNames: [], secretVersion: null } }],
      secrets: null,
    });
  });

  it('is refused of a retired backend', () => {
    expect(codeOf(change(RETIRED, { name: 'B' }))).toBe('LEDGER_CLOSED');
    expect(codeOf(change(RETIRING, { name: 'B' }))).toBe('done');
  });

  it('replaces secrets when it names each of them', () => {
    const held = { hasPassword: true, secretNames: ['key', 'auth.token'], secretVersion: 'v1' };
    expect(replacesSecrets(held, { password: 'p', settings: { key: 'k', auth: null } })).toBe(true);
    const partly: ChangeBackend[] = [
      { password: 'p' },
      { settings: { key: 'k', auth: null } },
      { password: null, settings: { key: 'k' } },
    ];
    for (const command of partly) expect(replacesSecrets(held, command)).toBe(false);
  });
});

describe('ledgers, pause and retirement', () => {
  const model: BindingModel = {
    model: 'shop.order',
    backendType: 'shop',
    localModel: null,
    dataSchema: null,
    cardinality: 'one',
    indexes: [],
  };
  const PAUSED = after(BERLIN, [event('BackendPaused')], 1);
  const WITH_LEDGER = after(BERLIN, [event('LedgerRegistered', { model: 'shop.order' })], 3);

  it.each<[string, BackendState, string, string, string, string]>([
    ['active', BERLIN, 'LedgerRegistered', 'BackendPaused', '', 'BackendRetiring'],
    ['active with the ledger', WITH_LEDGER, '', 'BackendPaused', '', 'BackendRetiring'],
    ['paused', PAUSED, 'BACKEND_PAUSED', '', 'BackendResumed', 'BackendRetiring'],
    ['retiring', RETIRING, 'LEDGER_CLOSED', 'LEDGER_CLOSED', 'LEDGER_CLOSED', ''],
    ['retired', RETIRED, 'LEDGER_CLOSED', 'LEDGER_CLOSED', 'LEDGER_CLOSED', ''],
  ])('%s', (_what, state, ledger, pause, resume, retire) => {
    const outcome = (answer: ReturnType<typeof decidePause>) => (isRefusal(answer) ? answer.refused : (answer[0]?.type ?? ''));
    expect(outcome(decideLedger(state, model))).toBe(ledger);
    expect(outcome(decidePause(state, true))).toBe(pause);
    expect(outcome(decidePause(state, false))).toBe(resume);
    expect(outcome(decideRetirement(state))).toBe(retire);
  });

  it('a ledger is of the type of its backend, whatever its state', () => {
    for (const state of [BERLIN, PAUSED, RETIRED])
      expect(codeOf(decideLedger(state, { ...model, backendType: 'erp' }))).toBe('MODEL_BACKEND_MISMATCH');
  });

  it('a retirement is concluded by the one that announced it', () => {
    expect(concludeRetirement(RETIRING, 4, [])).toEqual([{ type: 'BackendRetired', data: {} }]);
    expect(concludeRetirement(RETIRING, 4, [{ model: 'm', live: 2 }])).toEqual([
      { type: 'BackendRetirementCancelled', data: { live: [{ model: 'm', live: 2 }] } },
    ]);
    for (const [state, revision] of [
      [RETIRING, 3],
      [RETIRED, 4],
      [BERLIN, 4],
    ] as const)
      expect(concludeRetirement(state, revision, [])).toEqual([]);
  });

  it('the state follows from the events', () => {
    expect(backendStatusOf(PAUSED)).toBe('paused');
    const retiringPaused = after(PAUSED, [event('BackendRetiring')], 2);
    expect(backendStatusOf(retiringPaused)).toBe('retiring');
    const cancelled = after(retiringPaused, [event('BackendRetirementCancelled', { live: [] })], 3);
    expect([backendStatusOf(cancelled), cancelled.controlRevision]).toEqual(['paused', 3]);
    expect(backendStatusOf(RETIRED)).toBe('retired');
    expect(after(WITH_LEDGER, [event('CredentialsRead', { secretVersion: null })], 4)).toMatchObject({
      revision: 4,
      updatedAt: 't3',
    });
    expect(() => after(BERLIN, [event('BackendRegistered', { id: 'berlin' })], 1)).toThrow('broken invariant');
    expect(() => after(undefined, [event('BackendPaused')])).toThrow('broken invariant');
    expect(codeOf(decideCredentialsRead(RETIRED))).toBe('LEDGER_CLOSED');
  });
});

describe('a location', () => {
  it.each([
    'https://shop.example.com',
    'http://localhost:8069/xmlrpc/2?db=prod',
    'HTTPS://Shop.Example.com/',
    'https://münchen.example/ä',
    'http://[::1]:8080/',
    'sftp://files.example.com/in',
    'ftp://files.example.com',
    'amqps://broker.example.com/vhost',
    'postgres://db.example.com:5432/erp',
    'file:///var/exchange',
    'https://example.com/@handle?mail=a@b',
  ])('may be %s', (location) => {
    expect(problemOfLocation(location)).toBeUndefined();
  });

  it.each([
    '',
    'shop.example.com',
    '/relative',
    '//shop.example.com',
    'https:shop.example.com',
    'https:/shop.example.com',
    'https:\\\\shop.example.com',
    'https://',
    'https:///path',
    ' https://shop.example.com',
    'https://shop.example.com/a b',
    'https://shop.example.com/\n',
    'https://shop.example.com/\u0000',
    'https://shop.example.com:99999',
    'https://user:password@shop.example.com',
    'https://token@shop.example.com',
    'https://:password@shop.example.com',
    'sftp://user:password@files.example.com',
    'https:////user:password@shop.example.com',
    'https://user%3Apassword@shop.example.com',
    'javascript://example.com/%0Aalert(1)',
    'JavaScript://example.com/',
    'data://text/html,x',
    'file://',
    'mailto:a@example.com',
    'postgres://',
    `https://example.com/${'x'.repeat(MAX_LOCATION_LENGTH)}`,
  ])('may not be %j', (location) => {
    expect(problemOfLocation(location)).toEqual(expect.any(String));
    if (location.includes('password')) expect(problemOfLocation(location)).not.toContain('password@');
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject, RegisterBackend } from '#domain';
import { CONTEXT, KEY, World, done, refusedAs, type Process } from '../../../test/support/control/world.js';

const SCHEMA: JsonObject = {
  type: 'object',
  required: ['apiKey'],
  properties: {
    lang: { type: 'string' },
    apiKey: { type: 'string', minLength: 8, 'x-secret': true },
    oauth: {
      type: 'object',
      properties: { clientId: { type: 'string' }, clientSecret: { type: 'string', pattern: '^cs-', 'x-secret': true } },
    },
    certificate: { type: 'object', 'x-secret': true },
  },
  additionalProperties: false,
};
const SECRETS = { password: 'hunter2-hunter2', apiKey: 'key-0123456789', clientSecret: 'cs-abcdef', pem: 'BEGIN-PRIVATE' };
const REGISTER: RegisterBackend = {
  id: 'berlin',
  type: 'shop',
  location: 'https://berlin.example.com',
  username: 'sync',
  password: SECRETS.password,
  settings: {
    lang: 'de',
    apiKey: SECRETS.apiKey,
    oauth: { clientId: 'id-1', clientSecret: SECRETS.clientSecret },
    certificate: { pem: SECRETS.pem },
  },
};

let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open();
  here = world.process();
  await done(here.plane.catalog.defineType({ type: 'shop', settingsSchema: SCHEMA }, CONTEXT));
});
afterEach(() => world.close());

const backends = () => here.plane.backends;
const credentials = () => done(backends().readCredentials('berlin', CONTEXT));

/** Secrets that stand in clear in a text. */
const leaked = (text: string) => Object.values(SECRETS).filter((secret) => text.includes(secret));

async function secretVersions(): Promise<string[]> {
  const events = await world.store.readStream('backend-berlin', { limit: 1_000 });
  return events.filter(({ type }) => type === 'CredentialsChanged').map(({ data }) => data.secretVersion as string);
}

describe('secrets of a backend', () => {
  it('stand in no event, no answer and no document, and are answered as credentials', async () => {
    const answers: unknown[] = [await done(backends().register(REGISTER, CONTEXT))];
    expect(await credentials()).toEqual({
      username: 'sync',
      password: SECRETS.password,
      secrets: { apiKey: SECRETS.apiKey, oauth: { clientSecret: SECRETS.clientSecret }, certificate: { pem: SECRETS.pem } },
    });
    await world.project();
    answers.push(await backends().get('berlin'), await backends().list(), await backends().history('berlin', { limit: 100 }));
    answers.push(await world.readModel.catalogDocuments('backend', undefined, 10), await world.everything());
    expect(leaked(JSON.stringify(answers))).toEqual([]);
    expect(answers[1]).toMatchObject({
      hasPassword: true,
      settings: { lang: 'de', oauth: { clientId: 'id-1' } },
      secretNames: ['apiKey', 'oauth.clientSecret', 'certificate'],
    });
  });

  it('are kept when they are not given, merged when some are, and gone when they are null', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    await done(backends().change('berlin', { name: 'Berlin' }, CONTEXT));
    expect(await secretVersions()).toHaveLength(1);
    await done(backends().change('berlin', { settings: { lang: 'fr', apiKey: 'key-9876543210' } }, CONTEXT));
    expect(await credentials()).toMatchObject({
      password: SECRETS.password,
      secrets: { apiKey: 'key-9876543210', certificate: { pem: SECRETS.pem } },
    });
    await done(backends().change('berlin', { password: null, settings: { oauth: null, certificate: null } }, CONTEXT));
    expect(await credentials()).toEqual({ username: 'sync', password: null, secrets: { apiKey: 'key-9876543210' } });
    expect(await done(backends().get('berlin'))).toMatchObject({
      hasPassword: false,
      secretNames: ['apiKey'],
      settings: { lang: 'fr' },
    });
  });

  it('change nothing when they are given again as they are', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    const { password, settings } = REGISTER;
    expect(await done(backends().change('berlin', { password, settings }, CONTEXT))).toMatchObject({ outcome: 'unchanged' });
    expect(await secretVersions()).toHaveLength(1);
  });

  it('are recorded to be read, before they are handed out', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    await done(backends().readCredentials('berlin', { actor: 'job-7', correlationId: 'c-9' }, { reason: 'nightly' }));
    const [read] = await done(backends().history('berlin', { after: 1, limit: 1 }));
    expect(read).toMatchObject({
      type: 'CredentialsRead',
      actor: 'job-7',
      correlationId: 'c-9',
      reason: 'nightly',
      data: { secretVersion: (await secretVersions())[0] },
    });
    for (const crashed of [
      world.process({ crashes: { atWrite: 1, done: false } }),
      world.process({ crashes: { atWrite: 1, done: true } }),
    ]) {
      await expect(crashed.plane.backends.readCredentials('berlin', CONTEXT)).rejects.toThrow('died');
    }
  });

  it('are named by the field that is wrong, never quoted', async () => {
    const wrong = {
      ...REGISTER,
      settings: { apiKey: 'short', oauth: { clientSecret: 'wrong-abcdef' }, lang: 5, unknown: SECRETS.apiKey } as JsonObject,
    };
    const refusal = await backends().register(wrong, CONTEXT);
    expect(refusal).toMatchObject({ refused: 'INVALID_SETTINGS' });
    expect('errors' in refusal && (refusal.errors as { path: string }[]).map(({ path }) => path).sort()).toEqual([
      '/apiKey',
      '/lang',
      '/oauth/clientSecret',
      '/unknown',
    ]);
    for (const value of ['short', 'wrong-abcdef', SECRETS.apiKey, SECRETS.password])
      expect(JSON.stringify(refusal)).not.toContain(value);
  });

  it('are refused without a key, and nothing is done; without secrets no key is needed', async () => {
    const keyless = world.process({ keys: '' });
    const refusal = await keyless.plane.backends.register(REGISTER, CONTEXT);
    expect(refusal).toMatchObject({
      refused: 'INVALID_SETTINGS',
      detail: expect.stringContaining('LEDGER_SECRET_KEY is not set'),
    });
    expect(await world.eventTypes('backend-berlin')).toEqual([]);
    await done(here.plane.catalog.defineType({ type: 'plain' }, CONTEXT));
    await done(
      keyless.plane.backends.register(
        { id: 'plain', type: 'plain', location: 'https://x.example', settings: { apiKey: 'public' } },
        CONTEXT,
      ),
    );
    expect(await refusedAs(keyless.plane.backends.change('plain', { password: 'x' }, CONTEXT))).toBe('INVALID_SETTINGS');
    expect(await done(keyless.plane.backends.readCredentials('plain', CONTEXT))).toEqual({
      username: null,
      password: null,
      secrets: {},
    });
  });

  it('can be replaced by all new ones when their key is lost, and not in part', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    const other = world.process({ keys: Buffer.alloc(32, 9).toString('hex') }).plane.backends;
    expect(await other.readCredentials('berlin', CONTEXT)).toMatchObject({
      refused: 'STORE_UNAVAILABLE',
      detail: expect.stringContaining('not in LEDGER_SECRET_KEY'),
    });
    expect(await refusedAs(other.change('berlin', { password: 'new' }, CONTEXT))).toBe('STORE_UNAVAILABLE');
    await done(other.change('berlin', { name: 'Still changes' }, CONTEXT));
    const settings = { apiKey: 'key-new-new', oauth: null, certificate: null };
    await done(other.change('berlin', { password: 'new', settings }, CONTEXT));
    expect(await done(other.readCredentials('berlin', CONTEXT))).toEqual({
      username: 'sync',
      password: 'new',
      secrets: { apiKey: 'key-new-new' },
    });
    expect(await done(other.get('berlin'))).toMatchObject({ secretNames: ['apiKey'] });
  });

  it('say that they are not there any more when the vault was lost', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    await world.vault.deleteAll('secret', 'berlin');
    expect(await backends().readCredentials('berlin', CONTEXT)).toMatchObject({
      refused: 'STORE_UNAVAILABLE',
      detail: expect.stringContaining('not in the vault'),
    });
  });

  it('are hidden when the schema calls them secret later', async () => {
    const open: JsonObject = { properties: { token: { type: 'string' } } };
    await done(here.plane.catalog.defineType({ type: 'late', settingsSchema: open }, CONTEXT));
    await done(
      backends().register(
        { id: 'late', type: 'late', location: 'https://x.example', settings: { token: SECRETS.apiKey, lang: 'de' } },
        CONTEXT,
      ),
    );
    expect(await done(backends().get('late'))).toMatchObject({ settings: { token: SECRETS.apiKey } });
    await done(
      here.plane.catalog.defineType(
        { type: 'late', settingsSchema: { properties: { token: { type: 'string', 'x-secret': true } } } },
        CONTEXT,
      ),
    );
    const shown = [await backends().get('late'), await backends().list(), await backends().history('late', { limit: 10 })];
    expect(leaked(JSON.stringify(shown))).toEqual([]);
    await done(backends().change('late', { settings: { lang: 'fr' } }, CONTEXT));
    expect(await done(backends().readCredentials('late', CONTEXT))).toMatchObject({ secrets: { token: SECRETS.apiKey } });
  });

  it('stay secret when the schema does not mark them any more, until they are taken away', async () => {
    const schema = (marked: boolean): JsonObject => ({
      properties: { token: marked ? { type: 'object', 'x-secret': true } : { type: 'object' } },
    });
    const define = (settingsSchema: JsonObject) => here.plane.catalog.defineType({ type: 'early', settingsSchema }, CONTEXT);
    const change = (settings: JsonObject) => backends().change('early', { settings }, CONTEXT);
    await done(define(schema(true)));
    const settings = { token: { value: SECRETS.apiKey, kind: 'bearer' } };
    await done(backends().register({ id: 'early', type: 'early', location: 'https://x.example', settings }, CONTEXT));
    await done(define(schema(false)));
    await done(change({}));
    await done(change({ lang: 'fr', token: { kind: 'basic' } }));
    await done(define({ properties: { token: { properties: { kind: { type: 'string', 'x-secret': true } } } } }));
    await done(change({ lang: 'de' }));
    const shown = [await backends().get('early'), await backends().list(), await backends().history('early', { limit: 20 })];
    expect(leaked(JSON.stringify(shown))).toEqual([]);
    expect(await done(backends().readCredentials('early', CONTEXT))).toMatchObject({
      secrets: { token: { value: SECRETS.apiKey, kind: 'basic' } },
    });
    await done(change({ token: null }));
    await done(change({ token: { value: 'open', kind: 'none' } }));
    expect(await done(backends().get('early'))).toMatchObject({
      settings: { token: { value: 'open' } },
      secretNames: ['token.kind'],
    });
  });

  it('leave nothing of former versions, nor of attempts that came to nothing, in the vault', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    const processes = Array.from({ length: 6 }, () => world.process());
    await Promise.all(
      processes.map(({ plane }, index) => done(plane.backends.change('berlin', { password: `password-${index}` }, CONTEXT))),
    );
    const versions = await secretVersions();
    expect(versions).toHaveLength(7);
    for (const version of versions.slice(0, -1))
      expect(await world.vault.get({ kind: 'secret', id: 'berlin', version })).toBeUndefined();
    expect(await world.vault.deleteAll('secret', 'berlin')).toBe(1);
  });

  it('are gone when the backend is retired', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    await done(backends().retire('berlin', CONTEXT));
    expect(await done(backends().get('berlin'))).toMatchObject({ state: 'retired', hasPassword: false, secretNames: [] });
    expect(await refusedAs(backends().readCredentials('berlin', CONTEXT))).toBe('LEDGER_CLOSED');
    expect(await world.vault.deleteAll('secret', 'berlin')).toBe(0);
  });

  it('are in the vault before the event that names them, whenever the process dies', async () => {
    await done(backends().register(REGISTER, CONTEXT));
    for (const isDone of [false, true]) {
      for (let atWrite = 1; atWrite <= 4; atWrite += 1) {
        const crashed = world.process({ crashes: { atWrite, done: isDone } });
        await crashed.plane.backends
          .change('berlin', { password: `password-${atWrite}-${isDone}` }, CONTEXT)
          .catch(() => undefined);
        const { password } = await done(world.process({ keys: KEY }).plane.backends.readCredentials('berlin', CONTEXT));
        expect(password).toMatch(/^(hunter2-hunter2|password-\d-(true|false))$/);
      }
    }
    expect((await credentials()).password).toBe('password-4-true');
  });
});

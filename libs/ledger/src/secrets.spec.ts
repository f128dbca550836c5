import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRefusal, type SecretValues } from '#domain';
import type { Vault } from '#vault';
import { openSqliteVault } from '#vault/sqlite';
import { KeyRing, Secrets, type SecretName } from './secrets.js';

const OLD = randomBytes(32);
const NEW = randomBytes(32);
const NAME: SecretName = { backend: 'shop', version: 'v-1' };
const VALUES: SecretValues = { password: 'correct horse', settings: { apiKey: 'battery staple' } };
const ringOf = (...keys: Buffer[]) => KeyRing.parse(keys.map((key) => key.toString('base64')).join(','));

let vault: Vault;
beforeEach(async () => {
  vault = await openSqliteVault({ folder: ':memory:' });
});
afterEach(() => vault.close());

const contentOf = async ({ backend, version }: SecretName) =>
  (await vault.get({ kind: 'secret', id: backend, version }))?.content ?? '';

describe('the key ring', () => {
  const hex = OLD.toString('hex');
  it.each([
    ['nothing', undefined],
    ['an empty text', ''],
    ['blanks', '  '],
  ])('is empty for %s', (_what, text) => {
    expect(KeyRing.parse(text).empty).toBe(true);
  });

  it.each([
    ['base64', OLD.toString('base64')],
    ['base64 without padding', OLD.toString('base64').replace('=', '')],
    ['base64url', OLD.toString('base64url')],
    ['hex', hex],
    ['upper-case hex', hex.toUpperCase()],
  ])('reads the same key from %s', (_what, text) => {
    expect(KeyRing.parse(text).current).toEqual(ringOf(OLD).current);
  });

  it.each([
    ['a short key', OLD.subarray(1).toString('base64')],
    ['a long key', Buffer.concat([OLD, OLD]).toString('hex')],
    ['a word', 'password'],
    ['a strange letter', `${hex.slice(1)}!`],
    ['an empty key among others', `${hex},,${hex}`],
    ['a comma at the end', `${hex},`],
  ])('refuses %s without quoting it', (_what, text) => {
    const parse = () => KeyRing.parse(text);
    expect(parse).toThrow(/LEDGER_SECRET_KEY: key \d is not 32 bytes/);
    expect(parse).not.toThrow(text.slice(0, 8));
  });
});

describe('secrets', () => {
  it('come back as they were stored, and stand nowhere in clear', async () => {
    const secrets = new Secrets(vault, ringOf(NEW));
    expect(await secrets.store(NAME, VALUES)).toBeUndefined();
    expect(await secrets.read(NAME)).toEqual(VALUES);
    const content = await contentOf(NAME);
    const everything = Buffer.from(content.split('.').at(-1) ?? '', 'base64url').toString('latin1');
    for (const secret of ['correct', 'battery', 'apiKey']) expect(content + everything).not.toContain(secret);
  });

  it('are never encrypted twice to the same text', async () => {
    const secrets = new Secrets(vault, ringOf(NEW));
    await secrets.store(NAME, VALUES);
    const first = await contentOf(NAME);
    await secrets.store(NAME, VALUES);
    expect(await contentOf(NAME)).not.toBe(first);
  });

  it('are not stored without a key', async () => {
    const refusal = await new Secrets(vault, KeyRing.parse(undefined)).store(NAME, VALUES);
    expect(refusal).toMatchObject({
      refused: 'INVALID_SETTINGS',
      detail: expect.stringContaining('LEDGER_SECRET_KEY is not set'),
    });
    expect(await contentOf(NAME)).toBe('');
  });

  it('are decrypted with an old key, and encrypted with the new one', async () => {
    await new Secrets(vault, ringOf(OLD)).store(NAME, VALUES);
    const secrets = new Secrets(vault, ringOf(NEW, OLD));
    expect(await secrets.read(NAME)).toEqual(VALUES);
    await secrets.store(NAME, VALUES);
    expect(await new Secrets(vault, ringOf(NEW)).read(NAME)).toEqual(VALUES);
  });

  it('say which key is missing', async () => {
    await new Secrets(vault, ringOf(OLD)).store(NAME, VALUES);
    const answer = await new Secrets(vault, ringOf(NEW)).read(NAME);
    expect(answer).toMatchObject({
      refused: 'STORE_UNAVAILABLE',
      detail: expect.stringContaining(`key ${ringOf(OLD).current?.id}, which is not in LEDGER_SECRET_KEY`),
    });
    expect(await new Secrets(vault, KeyRing.parse('')).read(NAME)).toMatchObject({ refused: 'STORE_UNAVAILABLE' });
  });

  it.each<[string, SecretName]>([
    ['another backend', { backend: 'erp', version: NAME.version }],
    ['another version', { backend: NAME.backend, version: 'v-2' }],
  ])('do not open as those of %s', async (_what, other) => {
    const secrets = new Secrets(vault, ringOf(NEW));
    await secrets.store(NAME, VALUES);
    await vault.put({ kind: 'secret', id: other.backend, version: other.version }, await contentOf(NAME));
    expect(await secrets.read(other)).toMatchObject({
      refused: 'STORE_UNAVAILABLE',
      detail: expect.stringContaining('do not decrypt'),
    });
  });

  it('do not open when anything of them was changed', async () => {
    const secrets = new Secrets(vault, ringOf(NEW));
    await secrets.store(NAME, VALUES);
    const content = await contentOf(NAME);
    for (let place = 0; place < content.length - 1; place += 7) {
      const letter = content[place] === 'A' ? 'B' : 'A';
      await vault.put(
        { kind: 'secret', id: NAME.backend, version: NAME.version },
        content.slice(0, place) + letter + content.slice(place + 1),
      );
      const answer = await secrets.read(NAME);
      expect(answer !== undefined && isRefusal(answer)).toBe(true);
    }
    for (const cut of ['', 'v1', 'v1.', content.slice(0, -1), content.slice(0, content.lastIndexOf('.'))]) {
      await vault.put({ kind: 'secret', id: NAME.backend, version: NAME.version }, cut);
      const answer = await secrets.read(NAME);
      expect(answer !== undefined && isRefusal(answer)).toBe(true);
    }
  });

  it('can be forgotten, one version or all of a backend', async () => {
    const secrets = new Secrets(vault, ringOf(NEW));
    const names = ['1', '2', '3'].map((version) => ({ ...NAME, version }));
    for (const name of names) await secrets.store(name, VALUES);
    await secrets.forget({ ...NAME, version: '1' });
    expect(await secrets.read({ ...NAME, version: '1' })).toBeUndefined();
    expect(await secrets.read({ ...NAME, version: '2' })).toEqual(VALUES);
    await secrets.forgetAll(NAME.backend);
    expect(await secrets.read({ ...NAME, version: '3' })).toBeUndefined();
  });
});

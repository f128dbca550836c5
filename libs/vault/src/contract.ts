/** What every vault of the ledger does. Each adapter's spec runs this suite; the vault may hold other documents. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_LISTED_KEYS, MAX_VAULT_BYTES, type Vault, type VaultKey } from './port.js';

/** Opens a vault that no other call has opened. */
export type MakeVault = () => Promise<Vault>;
type Subject = () => Vault;

const newKey = (key: Partial<VaultKey> = {}): VaultKey => ({ kind: 'contract', id: randomUUID(), version: '1', ...key });

async function put(vault: Vault, key: VaultKey, content: string): Promise<string> {
  const result = await vault.put(key, content);
  if (!result.ok) throw new Error('A put without expectation was refused');
  return result.revision;
}

export function vaultContract(name: string, makeVault: MakeVault): void {
  describe(`vault contract: ${name}`, () => {
    let vault: Vault;
    beforeAll(async () => {
      vault = await makeVault();
    });
    afterAll(() => vault.close());
    describe('documents', () => documents(() => vault));
    describe('compare-and-set', () => comparing(() => vault));
    describe('delete', () => deleting(() => vault));
    describe('list', () => listing(() => vault));
    describe('close', () => closing(makeVault));
  });
}

function documents(vault: Subject): void {
  it('answers what was put, and nothing where nothing was', async () => {
    const key = newKey();
    expect(await vault().get(key)).toBeUndefined();
    const revision = await put(vault(), key, 'a secret: ä€😀\0"\'\n');
    expect(await vault().get(key)).toEqual({ content: 'a secret: ä€😀\0"\'\n', revision });
  });

  it('keeps kinds, ids and versions apart, by every letter', async () => {
    const key = newKey();
    await put(vault(), key, 'this');
    for (const other of [
      { ...key, kind: 'Contract' },
      { ...key, id: key.id.toUpperCase() },
      { ...key, version: '1 ' },
      { ...key, version: '' },
    ]) {
      expect(await vault().get(other)).toBeUndefined();
      await put(vault(), other, JSON.stringify(other));
    }
    expect((await vault().get(key))?.content).toBe('this');
  });

  it('replaces the content, under another revision even when it is the same', async () => {
    const key = newKey();
    const first = await put(vault(), key, 'one');
    const second = await put(vault(), key, 'two');
    const third = await put(vault(), key, 'two');
    expect(new Set([first, second, third]).size).toBe(3);
    expect(await vault().get(key)).toEqual({ content: 'two', revision: third });
  });

  it('takes empty content, and content up to the limit', async () => {
    const [empty, full] = [newKey(), newKey()];
    await put(vault(), empty, '');
    expect((await vault().get(empty))?.content).toBe('');
    await put(vault(), full, 'ä'.repeat(MAX_VAULT_BYTES / 2));
    expect((await vault().get(full))?.content).toHaveLength(MAX_VAULT_BYTES / 2);
    await expect(vault().put(full, `${'ä'.repeat(MAX_VAULT_BYTES / 2)}a`)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect((await vault().get(full))?.content).toHaveLength(MAX_VAULT_BYTES / 2);
  });

  it('can be used', async () => {
    await expect(vault().ping()).resolves.toBeUndefined();
  });
}

function comparing(vault: Subject): void {
  it('puts a document that must be new once only', async () => {
    const key = newKey();
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((content) => vault().put(key, content, null)));
    const [won, ...more] = results.filter((result) => result.ok);
    expect(more).toEqual([]);
    expect((await vault().get(key))?.revision).toBe(won?.revision);
    for (const result of results) if (!result.ok) expect(result.actual).toBe(won?.revision);
  });

  it('puts at the revision that is expected, and at no other', async () => {
    const key = newKey();
    const first = await put(vault(), key, 'first');
    const second = await vault().put(key, 'second', first);
    expect(second.ok).toBe(true);
    expect(await vault().put(key, 'late', first)).toEqual({ ok: false, actual: second.ok ? second.revision : undefined });
    expect((await vault().get(key))?.content).toBe('second');
  });

  it('expects nothing of what is not there', async () => {
    expect(await vault().put(newKey(), 'content', randomUUID())).toEqual({ ok: false, actual: null });
  });

  it('does not take a new document for the one before it was deleted', async () => {
    const key = newKey();
    const first = await put(vault(), key, 'same');
    await vault().delete(key);
    const second = await put(vault(), key, 'same');
    expect(await vault().put(key, 'late', first)).toEqual({ ok: false, actual: second });
  });

  it('lets one of many win at each revision', async () => {
    const key = newKey();
    await put(vault(), key, '0');
    const increment = async (): Promise<void> => {
      for (;;) {
        const now = await vault().get(key);
        const result = await vault().put(key, String(Number(now?.content) + 1), now?.revision);
        if (result.ok) return;
      }
    };
    await Promise.all(Array.from({ length: 10 }, increment));
    expect((await vault().get(key))?.content).toBe('10');
  });
}

function deleting(vault: Subject): void {
  it('deletes one version, and says whether it was there', async () => {
    const key = newKey();
    const other = { ...key, version: '2' };
    await put(vault(), key, 'one');
    await put(vault(), other, 'two');
    expect(await vault().delete(key)).toBe(true);
    expect(await vault().delete(key)).toBe(false);
    expect(await vault().get(key)).toBeUndefined();
    expect((await vault().get(other))?.content).toBe('two');
  });

  it('deletes all versions of an id and nothing else', async () => {
    const [key, other] = [newKey(), newKey()];
    const elsewhere = { ...key, kind: 'elsewhere' };
    for (const each of [key, { ...key, version: '2' }, other, elsewhere]) await put(vault(), each, 'content');
    expect(await vault().deleteAll(key.kind, key.id)).toBe(2);
    expect(await vault().deleteAll(key.kind, key.id)).toBe(0);
    expect(await vault().get(key)).toBeUndefined();
    expect(await vault().get(other)).toBeDefined();
    expect(await vault().get(elsewhere)).toBeDefined();
  });
}

function listing(vault: Subject): void {
  it('names the documents of a kind, by the bytes of id and version, and no others', async () => {
    const kind = `contract-${randomUUID()}`;
    const keys = [
      { kind, id: 'B', version: '' },
      { kind, id: 'a', version: '1' },
      { kind, id: 'a', version: '10' },
      { kind, id: 'a', version: '2' },
      { kind, id: 'a-b', version: '1' },
      { kind, id: 'é', version: '1' },
    ];
    expect(await vault().list(kind, { limit: 10 })).toEqual([]);
    for (const key of keys.toReversed()) await put(vault(), key, 'content');
    await put(vault(), { kind: `${kind}-other`, id: 'a', version: '1' }, 'content');
    expect(await vault().list(kind, { limit: MAX_LISTED_KEYS })).toEqual(keys);
    await vault().delete(keys[2] as VaultKey);
    expect(await vault().list(kind, { limit: 10 })).toEqual(keys.filter((_, index) => index !== 2));
  });

  it('goes on after a key, which need not be there', async () => {
    const kind = `contract-${randomUUID()}`;
    const keys = ['a', 'b', 'c', 'd'].flatMap((id) => ['1', '2'].map((version) => ({ kind, id, version })));
    for (const key of keys) await put(vault(), key, 'content');
    const found: VaultKey[] = [];
    for (let after: VaultKey | undefined; ;) {
      const page = await vault().list(kind, { limit: 3, after });
      found.push(...page);
      if (page.length < 3) break;
      after = page.at(-1);
    }
    expect(found).toEqual(keys);
    expect(await vault().list(kind, { limit: 2, after: { id: 'b', version: '10' } })).toEqual(keys.slice(3, 5));
    expect(await vault().list(kind, { limit: 2, after: { id: 'e', version: '' } })).toEqual([]);
  });

  it('refuses a page that none can have', async () => {
    for (const limit of [0, -1, 1.5, MAX_LISTED_KEYS + 1])
      await expect(vault().list('contract', { limit })).rejects.toBeInstanceOf(RangeError);
  });
}

function closing(makeVault: MakeVault): void {
  it('does nothing any more, and closes twice', async () => {
    const vault = await makeVault();
    const key = newKey();
    await vault.close();
    await vault.close();
    await expect(vault.get(key)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(vault.put(key, '')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(vault.list('contract', { limit: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(vault.ping()).rejects.toMatchObject({ code: 'CLOSED' });
  });
}

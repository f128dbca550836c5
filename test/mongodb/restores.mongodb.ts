/** The database is emptied, set back to an older copy, or exchanged, while nobody uses it: what the next start makes of that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient, type Document } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import type { Command } from '#domain';
import { openLedger, type OpenedLedger } from '#runtime';
import { temporaryDatabases } from '../support/mongodb/database.js';
import { openMongoStores } from '../support/mongodb/stores.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const newUrl = temporaryDatabases();
const newFolder = temporaryFolders();
const LEDGER = { backend: 'shop', model: 'shop.product' };
const context = { actor: 'operator', correlationId: 'restores' };

const opened: OpenedLedger[] = [];
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close();
});

async function open(url: string, folder: string, streamPrefix = ''): Promise<OpenedLedger> {
  const ledger = await openLedger({ stores: await openMongoStores(url, folder, streamPrefix), streamPrefix });
  opened.push(ledger);
  return ledger;
}

async function prepared(url: string, folder: string, streamPrefix = ''): Promise<OpenedLedger> {
  const ledger = await open(url, folder, streamPrefix);
  await ledger.catalog.defineType({ type: 'shop' }, context);
  await ledger.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
  await ledger.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, context);
  return ledger;
}

async function bind(ledger: OpenedLedger, from: number, to: number): Promise<void> {
  const commands: Command[] = Array.from({ length: to - from }, (_, index) => {
    return { op: 'bind', recordId: `r${from + index}`, externalId: `e${from + index}`, syncDate: null };
  });
  await ledger.ledger.executeAll(
    LEDGER,
    commands.map((command) => ({ command, context })),
  );
  expect(await ledger.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 })).toBeUndefined();
}

async function expectBound(ledger: OpenedLedger, count: number): Promise<void> {
  expect(await ledger.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 })).toBeUndefined();
  for (let index = 0; index < count; index += 1) {
    expect(await ledger.readModel.findByExternalId(LEDGER, `e${index}`)).toMatchObject({ recordId: `r${index}` });
  }
  expect((await ledger.readModel.ledgerDocument(LEDGER))?.state.counts).toEqual({ pending: 0, bound: count, unbound: 0 });
}

async function withDatabase<T>(url: string, work: (db: ReturnType<MongoClient['db']>) => Promise<T>): Promise<T> {
  const client = new MongoClient(url);
  try {
    return await work(client.db());
  } finally {
    await client.close();
  }
}

type Copy = Map<string, Document[]>;

function copyOf(url: string): Promise<Copy> {
  return withDatabase(url, async (db) => {
    const copy: Copy = new Map();
    for (const { name } of await db.listCollections().toArray()) copy.set(name, await db.collection(name).find().toArray());
    return copy;
  });
}

function restore(url: string, copy: Copy): Promise<void> {
  return withDatabase(url, async (db) => {
    await db.dropDatabase();
    for (const [name, documents] of copy) if (documents.length > 0) await db.collection(name).insertMany(documents);
  });
}

async function closed(ledger: OpenedLedger): Promise<void> {
  await ledger.close();
  opened.splice(opened.indexOf(ledger), 1);
}

async function refusal(url: string, folder: string, streamPrefix = ''): Promise<string> {
  const error = await open(url, folder, streamPrefix).catch((reason: unknown) => reason as Error);
  if (!(error instanceof Error)) throw new Error('it was opened');
  return error.message;
}

describe('a database that', () => {
  it('was emptied is projected again from the beginning', async () => {
    const [url, folder] = [newUrl(), newFolder()];
    const first = await prepared(url, folder);
    for (let from = 0; from < 4_000; from += 500) await bind(first, from, from + 500);
    await closed(first);
    await withDatabase(url, (db) => db.dropDatabase());
    const again = await open(url, folder);
    // Whoever asks meanwhile is told to come again, or the truth.
    for (let index = 3_999; index >= 0; await sleep(5)) {
      const found = await again.queries.toInternal(LEDGER, `e${index}`);
      if ('refused' in found) expect(found.refused).toBe('NOT_YET_PROJECTED');
      else {
        expect(found.recordId).toBe(`r${index}`);
        index -= 100;
      }
    }
    expect((await again.readModel.ledgerDocument(LEDGER))?.state.counts).toEqual({ pending: 0, bound: 4_000, unbound: 0 });
  });

  it('is an older copy of itself is brought up to date', async () => {
    const [url, folder] = [newUrl(), newFolder()];
    const first = await prepared(url, folder);
    await bind(first, 0, 100);
    await closed(first);
    const copy = await copyOf(url);
    const second = await open(url, folder);
    await bind(second, 100, 200);
    await closed(second);
    await restore(url, copy);
    const again = await open(url, folder);
    await expectBound(again, 200);
    // The commands that follow are decided on what is true.
    const [result] = await again.ledger.executeAll(LEDGER, [
      { command: { op: 'bind', recordId: 'other', externalId: 'e150' }, context },
    ]);
    expect(result).toMatchObject({ refused: 'EXTERNAL_ID_TAKEN' });
  });

  it('is newer than the events that were restored, or holds other events, is refused', async () => {
    const [url, folder] = [newUrl(), newFolder()];
    const first = await prepared(url, folder);
    await bind(first, 0, 50);
    await closed(first);
    // With the second start it is known whose events these are.
    await closed(await open(url, folder));
    // Another history, with as many events.
    const other = newFolder();
    const otherUrl = newUrl();
    const second = await prepared(otherUrl, other);
    await bind(second, 0, 60);
    await closed(second);
    expect(await refusal(url, other)).toMatch(/does not belong to the events: it was made of events of another event store/);
    expect(await refusal(url, newFolder())).toMatch(/does not belong to the events/);
    // As if both had begun with the same event.
    await withDatabase(url, async (db) => {
      await db.collection<{ _id: string }>('facts').deleteOne({ _id: 'installation' });
    });
    expect(await refusal(url, other)).toMatch(/ledger shop\/shop\.product differs at revision 50/);
    const again = await open(url, folder);
    await expectBound(again, 50);
  });

  it('has documents of streams with another prefix is refused', async () => {
    const [url, folder] = [newUrl(), newFolder()];
    await closed(await prepared(url, folder, 'test-'));
    expect(await refusal(url, folder)).toMatch(/streams that begin with "test-", not ""/);
    await closed(await open(url, folder, 'test-'));
  });

  it('lost the read model but not the vault keeps the secrets', async () => {
    const [url, folder] = [newUrl(), newFolder()];
    const first = await prepared(url, folder);
    await bind(first, 0, 10);
    await first.vault.put({ kind: 'test', id: 'kept', version: '1' }, 'a secret');
    await closed(first);
    await withDatabase(url, async (db) => {
      for (const { name } of await db.listCollections().toArray())
        if (name !== 'vault' && name !== 'schemas') await db.dropCollection(name);
    });
    const again = await open(url, folder);
    await expectBound(again, 10);
    expect((await again.vault.get({ kind: 'test', id: 'kept', version: '1' }))?.content).toBe('a secret');
  });
});

import { createServer, type Server } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import { migrate, openMongo, type MongoSchema } from './index.js';

const newUrl = temporaryDatabases();
const silent: Server[] = [];
afterAll(() => {
  for (const server of silent) server.close();
});

describe('openMongo', () => {
  it('says that there is no server, in seconds, and nothing of the password', async () => {
    const began = performance.now();
    const url = 'mongodb://operator:s3cret%2Fpass@127.0.0.1:1/ledger';
    const error = await openMongo(url).catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ name: 'MongoConnectionError' });
    expect((error as Error).message).toMatch(/ECONNREFUSED|127\.0\.0\.1:1/);
    expect((error as Error).message).not.toMatch(/s3cret|operator/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('says what is wrong with a URL without repeating its password', async () => {
    for (const url of [
      'mongodb://user:hunter2@',
      'mongodb://user:hun/ter2@host/db',
      'http://user:hunter2@host',
      'hunter2',
      'mongodb://user:hunter2@host:99999999/db',
      'mongodb://user:hunter2@host/db?authMechanism=NONE',
    ]) {
      const error = await openMongo(url).catch((reason: unknown) => reason as Error);
      expect(error).toMatchObject({ name: 'MongoConnectionError' });
      if (url !== 'hunter2') expect((error as Error).message, url).not.toMatch(/hunter2|ter2/);
    }
  });

  it('gives up on a server that says nothing', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    silent.push(server);
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const began = performance.now();
    await expect(openMongo(`mongodb://127.0.0.1:${port}/`)).rejects.toMatchObject({ name: 'MongoConnectionError' });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('closes its client with the last of those who share it', async () => {
    const mongo = await openMongo(newUrl());
    const shared = mongo.share();
    await mongo.close();
    await mongo.close();
    expect(await shared.db.command({ ping: 1 })).toMatchObject({ ok: 1 });
    await shared.close();
    await expect(shared.db.command({ ping: 1 })).rejects.toThrow(/./);
  });
});

describe('migrate', () => {
  const schema = (steps: number): MongoSchema => ({
    name: 'a schema',
    steps: Array.from({ length: steps }, (_, number) => ({
      indexes: { things: [{ name: `by_${number}`, key: { [`field${number}`]: 1 } }] },
      change: async (db) => {
        await db.collection('things').updateOne({ step: number }, { $setOnInsert: { step: number } }, { upsert: true });
      },
    })),
  });

  it('may be done by several instances at once, and again', async () => {
    const url = newUrl();
    const instances = await Promise.all(Array.from({ length: 5 }, () => openMongo(url)));
    await Promise.all(instances.map(({ db }) => migrate(db, schema(3))));
    const [{ db }] = instances as [Awaited<ReturnType<typeof openMongo>>];
    await migrate(db, schema(3));
    expect(await db.collection<{ _id: string }>('schemas').findOne({ _id: 'a schema' })).toMatchObject({ version: 3 });
    const names = (await db.collection('things').indexes()).map(({ name }) => name);
    expect(names.sort()).toEqual(['_id_', 'by_0', 'by_1', 'by_2']);
    for (const { close } of instances) await close();
  });

  it('goes on from the version that is there, and brings back an index that was dropped', async () => {
    const { db, close } = await openMongo(newUrl());
    await migrate(db, schema(1));
    await db.collection('things').deleteMany({});
    await db.collection('things').dropIndex('by_0');
    await migrate(db, schema(3));
    const steps = (await db.collection('things').find().toArray()).map(({ step }) => step as number);
    expect(steps.sort()).toEqual([1, 2]);
    expect((await db.collection('things').indexes()).map(({ name }) => name)).toContain('by_0');
    await close();
  });

  it('refuses what a newer version wrote', async () => {
    const { db, close } = await openMongo(newUrl());
    await migrate(db, schema(3));
    await expect(migrate(db, schema(2))).rejects.toThrow(/version 3, this program knows 2/);
    await close();
  });
});

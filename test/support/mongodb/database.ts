/** The MongoDB server of the suites, which scripts/test-mongodb.mjs starts or MONGODB_TEST_URL names: a database for each caller. */
import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { afterAll } from 'vitest';

export function mongoTestUrl(): string {
  const url = process.env['MONGODB_TEST_URL'];
  if (url === undefined || url === '') throw new Error('MONGODB_TEST_URL is not set: run these suites by npm run test:mongodb');
  return url;
}

/** The server's URL with a database that nobody else uses. */
export function newDatabaseUrl(of = mongoTestUrl()): string {
  const url = new URL(of);
  url.pathname = `/test_${randomUUID().replaceAll('-', '')}`;
  return url.href;
}

/** Makes URLs of new databases, which are dropped after the file's tests. */
export function temporaryDatabases(): () => string {
  const urls: string[] = [];
  afterAll(async () => {
    for (const url of urls) await dropDatabase(url);
  });
  return () => {
    const url = newDatabaseUrl();
    urls.push(url);
    return url;
  };
}

export async function dropDatabase(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000 });
  try {
    await client.db().dropDatabase();
  } finally {
    await client.close();
  }
}

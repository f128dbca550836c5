import type { Db, IndexDescription } from 'mongodb';
import { isDuplicateKey } from './errors.js';

/** What one version has more than the one before. Each step may be done again, and by several at once. */
export interface SchemaStep {
  indexes?: { readonly [collection: string]: readonly (IndexDescription & { name: string })[] };
  change?(db: Db): Promise<void>;
}

export interface MongoSchema {
  name: string;
  steps: readonly SchemaStep[];
}

/** The database was written by a newer version of this program. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError';
}

/** Where the versions of all schemas of the database stand. */
const SCHEMAS = 'schemas';

/**
 * Brings a schema up to its newest version. Indexes are asked for at every start, so that one that was dropped comes back;
 * changes are made from the version that is there. The version is raised last, so an interruption repeats the step.
 * @throws {NewerSchemaError}
 */
export async function migrate(db: Db, { name, steps }: MongoSchema): Promise<void> {
  const version = await versionOf(db, name);
  if (version > steps.length) {
    throw new NewerSchemaError(
      `${name} has schema version ${version}, this program knows ${steps.length}: it was written by a newer version, use that one`,
    );
  }
  for (const [number, { indexes = {}, change }] of steps.entries()) {
    for (const [collection, descriptions] of Object.entries(indexes))
      await db.collection(collection).createIndexes([...descriptions]);
    if (number < version) continue;
    await change?.(db);
    await raiseVersion(db, name, number + 1);
  }
}

async function versionOf(db: Db, name: string): Promise<number> {
  const stored = await db.collection<{ _id: string; version: number }>(SCHEMAS).findOne({ _id: { $eq: name } });
  return stored?.version ?? 0;
}

async function raiseVersion(db: Db, name: string, version: number): Promise<void> {
  try {
    await db
      .collection<{ _id: string; version: number }>(SCHEMAS)
      .updateOne({ _id: { $eq: name } }, { $max: { version } }, { upsert: true });
  } catch (error) {
    // Another instance, starting at the same time, has inserted it in between.
    if (!isDuplicateKey(error)) throw error;
    await raiseVersion(db, name, version);
  }
}

/** The read model in MongoDB: may be deleted at any time, and is then projected anew. */
import { messageOf, migrate, NewerSchemaError, type MongoConnection } from '#mongodb';
import { ReadModelError } from '../src/port.js';
import { Session, toReadModelError } from './errors.js';
import { verify, type Installation } from './installation.js';
import { MongoReadModel, type MongoReadModelTools } from './read-model.js';
import { READ_MODEL_SCHEMA } from './schema.js';

export type { Installation } from './installation.js';
export { MongoReadModel } from './read-model.js';

/** How long an instance relies on what it read of a ledger's generation: shorter than the grace time after a rebuild. */
export const GENERATION_KNOWLEDGE_MS = 5_000;

export interface MongoReadModelOptions extends Partial<MongoReadModelTools> {
  readTail: MongoReadModelTools['readTail'];
  /** Whose events these are; absent where another part of the program has seen to it. */
  installation?: Installation;
}

/**
 * Opens the read model in a database, and makes or migrates its collections. Several instances may do so at once.
 * @throws {ReadModelError} `UNAVAILABLE` when the database cannot be used, a newer version of this program wrote it, or its documents
 * are made of other events.
 */
export async function openMongoReadModel(
  mongo: MongoConnection,
  { installation, ...tools }: MongoReadModelOptions,
): Promise<MongoReadModel> {
  const session = new Session(mongo.share());
  try {
    await migrate(mongo.db, READ_MODEL_SCHEMA);
    if (installation !== undefined) await verify(mongo.db, installation);
    return new MongoReadModel(session, { knowledgeMs: GENERATION_KNOWLEDGE_MS, clock: () => performance.now(), ...tools });
  } catch (error) {
    await session.close();
    if (!(error instanceof NewerSchemaError)) throw toReadModelError(error, mongo.url);
    throw new ReadModelError('UNAVAILABLE', messageOf(error, mongo.url), { cause: error });
  }
}

import type { Db } from 'mongodb';
import { isDuplicateKey } from '#mongodb';
import { ReadModelError } from '../src/port.js';
import type { MongoDocument } from './codec.js';
import { FACTS } from './schema.js';

/** Whose events a read model is made of. */
export interface Installation {
  /** What the names of its streams begin with. */
  streamPrefix: string;
  /** Something that no other event store has; `undefined` while there is nothing in it. */
  identity: string | undefined;
}

const INSTALLATION = 'installation';

/**
 * A database is one installation's: with the events of another, ids that look alike would be taken for the same.
 * @throws {ReadModelError} `UNAVAILABLE` when the documents are made of other events, as far as that was ever claimed.
 */
export async function verify(db: Db, { streamPrefix, identity }: Installation): Promise<void> {
  const found = await db.collection<MongoDocument>(FACTS).findOne({ _id: { $eq: INSTALLATION } });
  if (found === null) return;
  if (found['streamPrefix'] !== streamPrefix)
    throw other(`streams that begin with ${JSON.stringify(found['streamPrefix'])}, not ${JSON.stringify(streamPrefix)}`);
  if (found['identity'] !== null && found['identity'] !== (identity ?? null)) throw other('events of another event store');
}

/** To be called when the documents were found to be made of these events. Whoever comes later, with others, is refused. */
export async function claim(db: Db, installation: Installation): Promise<void> {
  const { streamPrefix } = installation;
  const identity = installation.identity ?? null;
  const facts = db.collection<MongoDocument>(FACTS);
  try {
    await facts.updateOne({ _id: { $eq: INSTALLATION } }, { $setOnInsert: { streamPrefix, identity } }, { upsert: true });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  if (identity !== null) await facts.updateOne({ _id: { $eq: INSTALLATION }, identity: { $eq: null } }, { $set: { identity } });
}

function other(of: string): ReadModelError {
  return new ReadModelError(
    'UNAVAILABLE',
    `the read model does not belong to the events: it was made of ${of}; give each installation a database of its own, ` +
      'or drop the collections of the read model, but not the vault: they are made anew',
  );
}

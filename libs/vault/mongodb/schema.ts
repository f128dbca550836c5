import type { MongoSchema } from '#mongodb';

/** A collection of its own, which nothing that makes the read model anew ever touches. */
export const VAULT = 'vault';

export const VAULT_SCHEMA: MongoSchema = {
  name: 'the vault',
  steps: [{ indexes: { [VAULT]: [{ name: 'by_key', key: { kind: 1, id: 1, version: 1 }, unique: true }] } }],
};

import { isUnavailable, messageOf, migrate, NewerSchemaError, type MongoConnection } from '#mongodb';
import { VaultError, type Vault } from '#vault';
import { MongoVault } from './mongo-vault.js';
import { VAULT_SCHEMA } from './schema.js';

/**
 * Opens the vault in a database, beside the read model.
 * @throws {VaultError} `UNAVAILABLE` when it cannot be used, or a newer version of this program wrote it.
 */
export async function openMongoVault(mongo: MongoConnection): Promise<Vault> {
  const shared = mongo.share();
  try {
    await migrate(mongo.db, VAULT_SCHEMA);
    return new MongoVault(shared);
  } catch (error) {
    await shared.close();
    if (!(error instanceof NewerSchemaError) && !isUnavailable(error)) throw error;
    throw new VaultError('UNAVAILABLE', `The vault cannot be used: ${messageOf(error, mongo.url)}`, { cause: error });
  }
}

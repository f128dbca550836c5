import { openMongo } from '#mongodb';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import { vaultContract } from '../src/contract.js';
import { openMongoVault } from './index.js';

const newUrl = temporaryDatabases();

async function opened(url = newUrl()) {
  const mongo = await openMongo(url);
  const vault = await openMongoVault(mongo);
  await mongo.close();
  return vault;
}

vaultContract('MongoDB', () => opened());

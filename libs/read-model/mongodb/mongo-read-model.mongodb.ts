import { openMongo } from '#mongodb';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import { readModelContract } from '../src/contract.js';
import { openMongoReadModel } from './index.js';

const newUrl = temporaryDatabases();

async function opened(url = newUrl()) {
  const mongo = await openMongo(url);
  const readModel = await openMongoReadModel(mongo, { readTail: () => Promise.resolve([]) });
  await mongo.close();
  return readModel;
}

readModelContract('MongoDB', async () => {
  const readModel = await opened();
  return { write: readModel, read: readModel, close: () => readModel.close() };
});
readModelContract('MongoDB, two on one database', async () => {
  const url = newUrl();
  const [write, read] = [await opened(url), await opened(url)];
  return {
    write,
    read,
    close: async () => {
      await read.close();
      await write.close();
    },
  };
});

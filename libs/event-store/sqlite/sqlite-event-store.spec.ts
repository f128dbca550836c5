import { afterAll } from 'vitest';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { Transpiled } from '../../../test/support/transpiled.js';
import { eventStoreContract } from '../src/contract.js';
import { openSqliteEventStore } from './index.js';

const newFolder = temporaryFolders();
const transpiled = new Transpiled(['libs/event-store/sqlite/append-worker.ts']);
const appendWorker = transpiled.url('libs/event-store/sqlite/append-worker.ts');
afterAll(() => transpiled.remove());

eventStoreContract('SQLite in memory', () => openSqliteEventStore({ folder: ':memory:' }));

eventStoreContract('SQLite in a folder, appending in the thread', () =>
  openSqliteEventStore({ folder: newFolder(), appendIn: 'thread' }),
);

eventStoreContract('SQLite in a folder, appending in a worker', () =>
  openSqliteEventStore({ folder: newFolder(), appendIn: 'worker', appendWorker }),
);

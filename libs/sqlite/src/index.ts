/** SQLite as the embedded stores use it: connections, schema versions, and the lock on a data folder. */
export * from './database.js';
export * from './folder-lock.js';
export * from './schema.js';

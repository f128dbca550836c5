/** What everything that is kept in MongoDB shares: one client, its limits in time, its errors, and versions of collections. */
export * from './connection.js';
export * from './errors.js';
export * from './schema.js';

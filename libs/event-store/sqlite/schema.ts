import type { Schema } from '#sqlite';

export const LEDGER_FILE = 'ledger.sqlite';

/**
 * Positions are row ids: nothing is ever deleted and one connection writes, so they are dense and ascend in the order of
 * the commits. Ids have no index: a repeated append is recognised by the ids that stand right after its revision.
 */
export const EVENTS_SCHEMA: Schema = {
  name: 'the events',
  steps: [
    `CREATE TABLE streams (
       no INTEGER PRIMARY KEY,
       name TEXT NOT NULL UNIQUE
     );
     CREATE TABLE events (
       position INTEGER PRIMARY KEY,
       stream INTEGER NOT NULL,
       revision INTEGER NOT NULL,
       id TEXT NOT NULL,
       type TEXT NOT NULL,
       data TEXT NOT NULL,
       metadata TEXT NOT NULL,
       stored_at INTEGER NOT NULL
     );
     CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);`,
  ],
};

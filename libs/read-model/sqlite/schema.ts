import type { Schema } from '#sqlite';

export const READ_MODEL_FILE = 'read-model.sqlite';

/**
 * Ledgers are numbered, and a number is never given out again, so that a connection may remember it. Bindings are rows in the
 * order of their arrival: what grows at random places are the two small indexes of keys, everything else at its end.
 * `unbound` leads every index, so that former bindings are found as fast as live ones and cost them nothing. A binding
 * that was never synchronized has the sync date '', which sorts before every date.
 */
export const READ_MODEL_SCHEMA: Schema = {
  name: 'the read model',
  steps: [
    `CREATE TABLE ledgers (
       number INTEGER PRIMARY KEY AUTOINCREMENT,
       name TEXT NOT NULL UNIQUE,
       backend TEXT NOT NULL,
       model TEXT NOT NULL,
       local_model TEXT,
       generation TEXT NOT NULL,
       checkpoint INTEGER NOT NULL,
       hash TEXT NOT NULL,
       at TEXT NOT NULL,
       indexes TEXT NOT NULL,
       state TEXT NOT NULL
     ) STRICT;
     CREATE INDEX ledgers_by_local_model ON ledgers (local_model, name) WHERE local_model IS NOT NULL;

     CREATE TABLE bindings (
       number INTEGER PRIMARY KEY,
       ledger INTEGER NOT NULL,
       unbound INTEGER NOT NULL,
       id TEXT NOT NULL,
       record_id TEXT NOT NULL,
       external_id TEXT,
       sync_date TEXT NOT NULL,
       data TEXT NOT NULL,
       state TEXT NOT NULL,
       version INTEGER NOT NULL,
       revision INTEGER NOT NULL,
       created_at TEXT NOT NULL,
       updated_at TEXT NOT NULL,
       unbound_at TEXT,
       cause TEXT,
       reason TEXT
     ) STRICT;
     CREATE UNIQUE INDEX bindings_by_id ON bindings (ledger, unbound, id);
     CREATE INDEX bindings_by_record ON bindings (record_id, ledger, unbound);
     CREATE INDEX bindings_by_external_id ON bindings (external_id, ledger, unbound) WHERE external_id IS NOT NULL;
     CREATE INDEX bindings_by_sync_date ON bindings (ledger, unbound, sync_date, id);
     CREATE INDEX bindings_by_creation ON bindings (ledger, unbound, created_at, id);
     CREATE INDEX pending_by_id ON bindings (ledger, id) WHERE state = 'pending';
     CREATE INDEX pending_by_creation ON bindings (ledger, created_at, id) WHERE state = 'pending';

     CREATE TABLE binding_fields (
       ledger INTEGER NOT NULL,
       field TEXT NOT NULL,
       value TEXT NOT NULL,
       binding TEXT NOT NULL,
       PRIMARY KEY (ledger, field, value, binding)
     ) STRICT, WITHOUT ROWID;

     CREATE TABLE idempotency (
       number INTEGER PRIMARY KEY,
       ledger INTEGER NOT NULL,
       scoped_key TEXT NOT NULL,
       request TEXT NOT NULL,
       answer TEXT NOT NULL,
       at TEXT NOT NULL
     ) STRICT;
     CREATE UNIQUE INDEX idempotency_by_key ON idempotency (ledger, scoped_key);
     CREATE INDEX idempotency_by_time ON idempotency (at);

     CREATE TABLE catalog (
       kind TEXT NOT NULL,
       id TEXT NOT NULL,
       revision INTEGER NOT NULL,
       document TEXT NOT NULL,
       PRIMARY KEY (kind, id)
     ) STRICT;

     CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  ],
};

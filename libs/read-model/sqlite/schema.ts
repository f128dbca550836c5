import type { Schema } from '#sqlite';
import { KEY_SEED } from './external-hash.js';

export const READ_MODEL_FILE = 'read-model.sqlite';

/**
 * The generations of ledgers are numbered, and a number is never given out again; whatever belongs to a generation has its number.
 * `role` says what a generation is for: see `generations.ts`. Bindings are rows in the
 * order of their arrival: what grows at random places are the two small indexes of keys, everything else at its end.
 * `unbound` leads every index, so that former bindings are found as fast as live ones and cost them nothing. A binding
 * that was never synchronized has the sync date '', which sorts before every date. History rows are of numbers alone, in the
 * order of a binding's revisions; the keys that an event took are in the few that took one.
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
    // An older read model knows nothing of the past: it is emptied, and projected anew from the first event on.
    `DELETE FROM facts;
     DELETE FROM ledgers;
     DELETE FROM bindings;
     DELETE FROM binding_fields;
     DELETE FROM idempotency;
     ALTER TABLE bindings ADD COLUMN created_revision INTEGER NOT NULL DEFAULT -1;
     CREATE INDEX unbound_by_record ON bindings (record_id, ledger, revision) WHERE unbound = 1;
     CREATE INDEX unbound_by_external_id ON bindings (external_id, ledger, revision) WHERE unbound = 1;

     CREATE TABLE history (
       binding INTEGER NOT NULL,
       revision INTEGER NOT NULL,
       ledger INTEGER NOT NULL,
       sets INTEGER NOT NULL,
       former_record_id TEXT,
       former_external_id TEXT,
       PRIMARY KEY (binding, revision)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX history_by_former_record ON history (former_record_id, ledger, revision) WHERE former_record_id IS NOT NULL;
     CREATE INDEX history_by_former_external_id ON history (former_external_id, ledger, revision)
       WHERE former_external_id IS NOT NULL;`,
    // A ledger may have several generations: a rebuild makes one beside that which answers.
    `DROP INDEX ledgers_by_local_model;
     ALTER TABLE ledgers RENAME TO only_ledgers;
     CREATE TABLE ledgers (
       number INTEGER PRIMARY KEY AUTOINCREMENT,
       role TEXT NOT NULL,
       name TEXT NOT NULL,
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
     INSERT INTO ledgers (number, role, name, backend, model, local_model, generation, checkpoint, hash, at, indexes, state)
       SELECT number, 'current', name, backend, model, local_model, generation, checkpoint, hash, at, indexes, state FROM only_ledgers;
     DROP TABLE only_ledgers;
     CREATE UNIQUE INDEX ledgers_by_role ON ledgers (role, name);
     CREATE UNIQUE INDEX ledgers_by_generation ON ledgers (name, generation);
     CREATE INDEX ledgers_by_local_model ON ledgers (local_model, name) WHERE local_model IS NOT NULL AND role = 'current';`,
    // External ids come in no order, so each changes another page of their index: with a hash of them it is smaller. The
    // ledger comes first, so that what is written together lies together.
    `DELETE FROM facts;
     DELETE FROM ledgers;
     DELETE FROM bindings;
     DELETE FROM binding_fields;
     DELETE FROM idempotency;
     DELETE FROM history;
     DROP INDEX bindings_by_external_id;
     DROP INDEX bindings_by_record;
     ALTER TABLE bindings ADD COLUMN external_hash INTEGER;
     CREATE INDEX bindings_by_external_hash ON bindings (ledger, external_hash, unbound) WHERE external_hash IS NOT NULL;
     CREATE INDEX bindings_by_record ON bindings (ledger, record_id, unbound);
     INSERT INTO facts (name, value) VALUES ('${KEY_SEED}', abs(random() % 4294967296));`,
    // The hashes of external ids begin with a period, so that those that come together lie together.
    `DELETE FROM facts WHERE name <> '${KEY_SEED}';
     DELETE FROM ledgers;
     DELETE FROM bindings;
     DELETE FROM binding_fields;
     DELETE FROM idempotency;
     DELETE FROM history;`,
  ],
};

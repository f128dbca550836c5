/** Every statement of the adapter: what is not here is not run, and the plan of each is checked by `query-plan.spec.ts`. */
import type { SqliteDatabase, SqliteStatement } from '#sqlite';
import { BINDING_COLUMNS, BINDING_COLUMNS_OF_B, type BindingRow } from './codec.js';
import type { KnownRow } from './history.js';
import { GENERATION_STATEMENTS } from './generation-statements.js';
import { LIST_STATEMENTS } from './list-statements.js';
import type { CatalogRow, IdempotencyRow, LedgerRow, Role } from './documents.js';
import { ONE_OF, sql, type Sql } from './sql.js';

const LEDGER_COLUMNS = 'name, backend, model, generation, checkpoint, hash, at, state';
const CURRENT = `role = 'current'`;
const KNOWN = 'number, created_revision, revision';
const ANY_STATE = 'unbound IN (0, 1)';
/** A list of keys as JSON. SQLite walks it as a table, which is several times as fast as a statement for each key. */
const KEYS = 'json_each(?) k CROSS JOIN bindings b';

/** Rows of bindings as they were created, that one statement inserts. */
export const NEW_BINDINGS_AT_ONCE = 16;

const NEW_BINDING = `INTO bindings (ledger, unbound, created_revision, external_hash, ${BINDING_COLUMNS})`;
const NEW_ROW = '(?, 0, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, NULL, NULL, NULL)';

export const STATEMENTS = {
  ...LIST_STATEMENTS,
  ...GENERATION_STATEMENTS,

  beginRead: sql('BEGIN'),
  endRead: sql('COMMIT'),
  // The one changes with the commits of other connections, the other with the rows that this one changes.
  otherChanges: sql<[version: number]>('PRAGMA data_version'),
  ownChanges: sql<[rows: number]>('SELECT total_changes()'),

  // ── Ledgers ──
  insertLedger: sql(
    `INSERT INTO ledgers (role, ${LEDGER_COLUMNS}, indexes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '[]') ON CONFLICT DO NOTHING`,
  ),
  ledger: sql<LedgerRow>(`SELECT ${LEDGER_COLUMNS} FROM ledgers WHERE number = ?`),
  currentLedger: sql<[number: number, ...LedgerRow]>(
    `SELECT number, ${LEDGER_COLUMNS} FROM ledgers WHERE ${CURRENT} AND name = ?`,
  ),
  ledgersAfter: sql<LedgerRow>(`SELECT ${LEDGER_COLUMNS} FROM ledgers WHERE ${CURRENT} AND name > ? ORDER BY name LIMIT ?`),
  ledgerNumber: sql<[number: number]>(`SELECT number FROM ledgers WHERE ${CURRENT} AND name = ?`),
  ledgerCheckpoint: sql<[checkpoint: number]>('SELECT checkpoint FROM ledgers WHERE number = ?'),
  ledgerIndexes: sql<[indexes: string]>('SELECT indexes FROM ledgers WHERE number = ?'),
  ledgerProgress: sql<[number: number, role: Role, checkpoint: number, indexes: string]>(
    'SELECT number, role, checkpoint, indexes FROM ledgers WHERE name = ? AND generation = ?',
  ),
  updateLedger: sql(
    'UPDATE ledgers SET checkpoint = ?, hash = ?, at = ?, local_model = ?, indexes = ?, state = ? WHERE number = ?',
  ),

  // ── Bindings, read ──
  liveByExternalId: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS} FROM bindings INDEXED BY bindings_by_external_hash
     WHERE external_hash = ? AND ledger = ? AND unbound = 0 AND external_id = ?`,
  ),
  // Of all that have one of the hashes: whoever asks picks those that he means.
  liveByExternalHashes: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS_OF_B} FROM ${KEYS} INDEXED BY bindings_by_external_hash
     ON b.external_hash = k.value AND b.ledger = ? AND b.unbound = 0`,
  ),
  liveByRecordIds: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS_OF_B} FROM ${KEYS} INDEXED BY bindings_by_record
     ON b.record_id = k.value AND b.ledger = ? AND b.unbound = 0`,
  ),
  byId: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS} FROM bindings INDEXED BY bindings_by_id WHERE ledger = ? AND ${ANY_STATE} AND id = ?`,
  ),
  byIds: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS_OF_B} FROM ${KEYS} INDEXED BY bindings_by_id ON b.ledger = ? AND b.${ANY_STATE} AND b.id = k.value`,
  ),
  ofLocalRecord: sql<[...BindingRow, backend: string, model: string, ledger: number]>(
    `SELECT ${BINDING_COLUMNS_OF_B}, l.backend, l.model, l.number FROM ledgers l CROSS JOIN bindings b INDEXED BY bindings_by_record
     ON b.record_id = ? AND b.ledger = l.number AND b.unbound <= ?
     WHERE l.${CURRENT} AND l.local_model = ? AND (l.name, b.id) > (?, ?) ORDER BY l.name, b.id LIMIT ?`,
  ),
  newestSyncDate: sql<[syncDate: string]>(
    `SELECT sync_date FROM bindings INDEXED BY bindings_by_sync_date
     WHERE ledger = ? AND unbound = 0 ORDER BY sync_date DESC LIMIT 1`,
  ),

  // ── History: numbers of bindings, and revisions ──
  bindingNumber: sql<[number: number]>(
    `SELECT number FROM bindings INDEXED BY bindings_by_id WHERE ledger = ? AND ${ANY_STATE} AND id = ?`,
  ),
  knownByNumber: sql<KnownRow>(`SELECT ${KNOWN} FROM bindings WHERE number = ?`),
  liveKnownByRecord: sql<KnownRow>(
    `SELECT ${KNOWN} FROM bindings INDEXED BY bindings_by_record WHERE record_id = ? AND ledger = ? AND unbound = 0`,
  ),
  liveKnownByExternalId: sql<KnownRow>(
    `SELECT ${KNOWN} FROM bindings INDEXED BY bindings_by_external_hash
     WHERE external_hash ${ONE_OF} AND ledger = ? AND unbound = 0 AND external_id = ?`,
  ),
  unboundByRecord: sql<KnownRow>(
    `SELECT ${KNOWN} FROM bindings INDEXED BY unbound_by_record
     WHERE record_id = ? AND ledger = ? AND unbound = 1 AND revision > ? ORDER BY revision LIMIT ?`,
  ),
  unboundByExternalId: sql<KnownRow>(
    `SELECT ${KNOWN} FROM bindings INDEXED BY unbound_by_external_id
     WHERE external_id = ? AND ledger = ? AND unbound = 1 AND revision > ? ORDER BY revision LIMIT ?`,
  ),
  formerRecord: sql<[binding: number, revision: number]>(
    `SELECT binding, revision FROM history INDEXED BY history_by_former_record
     WHERE former_record_id = ? AND ledger = ? AND revision > ? ORDER BY revision LIMIT ?`,
  ),
  formerExternalId: sql<[binding: number, revision: number]>(
    `SELECT binding, revision FROM history INDEXED BY history_by_former_external_id
     WHERE former_external_id = ? AND ledger = ? AND revision > ? ORDER BY revision LIMIT ?`,
  ),
  historyOf: sql<[revision: number]>(
    'SELECT revision FROM history WHERE binding = ? AND revision > ? AND revision <= ? ORDER BY revision LIMIT ?',
  ),
  newestRow: sql<[revision: number]>(
    'SELECT revision FROM history WHERE binding = ? AND revision <= ? ORDER BY revision DESC LIMIT 1',
  ),
  // Goes back over the rows of one binding until one has it.
  newestSetting: sql<[revision: number]>(
    'SELECT revision FROM history WHERE binding = ? AND revision <= ? AND sets & ? ORDER BY revision DESC LIMIT 1',
  ),
  insertHistory: sql(
    `INSERT INTO history (binding, revision, ledger, sets, former_record_id, former_external_id) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  ),

  // ── Bindings, written ──
  storedByIds: sql<[...BindingRow, number: number]>(
    `SELECT ${BINDING_COLUMNS_OF_B}, b.number FROM ${KEYS} INDEXED BY bindings_by_id
     ON b.ledger = ? AND b.${ANY_STATE} AND b.id = k.value`,
  ),
  insertBinding: sql(
    `INSERT INTO bindings (ledger, unbound, created_revision, external_hash, ${BINDING_COLUMNS})
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  ),
  // The same for a binding as it was created, which most are when they come: a quarter less to hand over.
  insertNewBinding: sql(`INSERT ${NEW_BINDING} VALUES ${NEW_ROW} ON CONFLICT DO NOTHING`),
  // And for several of them, since a call costs as much as half a row. `OR IGNORE`, because whatever else a constraint does to one of several
  // rows needs the pages before it kept aside, which costs more than is saved. A row with a null that must not be is left out, too:
  // then the statement above says what is wrong with it.
  insertNewBindings: sql(
    `INSERT OR IGNORE ${NEW_BINDING} VALUES ${Array<string>(NEW_BINDINGS_AT_ONCE).fill(NEW_ROW).join(', ')}`,
  ),
  // An index is written when one of its columns is named, changed or not: so there is a statement for what changes seldom.
  touchBinding: sql('UPDATE bindings SET data = ?, version = ?, revision = ?, updated_at = ? WHERE number = ?'),
  syncBinding: sql('UPDATE bindings SET sync_date = ?, data = ?, version = ?, revision = ?, updated_at = ? WHERE number = ?'),
  updateBinding: sql(
    `UPDATE bindings SET unbound = ?, external_hash = ?, record_id = ?, external_id = ?, sync_date = ?, data = ?, state = ?, version = ?, revision = ?,
     created_at = ?, updated_at = ?, unbound_at = ?, cause = ?, reason = ? WHERE number = ?`,
  ),

  // ── Indexed data ──
  insertField: sql('INSERT INTO binding_fields (ledger, field, value, binding) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'),
  deleteField: sql('DELETE FROM binding_fields WHERE ledger = ? AND field = ? AND value = ? AND binding = ?'),
  clearField: sql('DELETE FROM binding_fields WHERE ledger = ? AND field = ?'),
  liveDataAfter: sql<[id: string, data: string]>(
    `SELECT id, data FROM bindings INDEXED BY bindings_by_id WHERE ledger = ? AND unbound = 0 AND id > ? ORDER BY id LIMIT ?`,
  ),

  // ── Idempotency ──
  rememberKey: sql(
    `INSERT INTO idempotency (ledger, scoped_key, request, answer, at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (ledger, scoped_key) DO UPDATE SET request = excluded.request, answer = excluded.answer, at = excluded.at
     WHERE excluded.at >= at`,
  ),
  rememberedKeys: sql<IdempotencyRow>(
    `SELECT i.scoped_key, i.request, i.answer, i.at FROM json_each(?) k CROSS JOIN idempotency i
     ON i.ledger = ? AND i.scoped_key = k.value`,
  ),
  forgetKeys: sql('DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency WHERE at < ? ORDER BY at LIMIT ?)'),

  // ── Catalog, and what is known of the whole ──
  saveCatalog: sql(
    `INSERT INTO catalog (kind, id, revision, document) VALUES (?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, document = excluded.document
     WHERE excluded.revision >= revision`,
  ),
  catalog: sql<CatalogRow>('SELECT id, revision, document FROM catalog WHERE kind = ? AND id = ?'),
  catalogAfter: sql<CatalogRow>('SELECT id, revision, document FROM catalog WHERE kind = ? AND id > ? ORDER BY id LIMIT ?'),
  saveFact: sql('INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'),
  fact: sql<[value: string]>('SELECT value FROM facts WHERE name = ?'),
};

type RowOf<S> = S extends Sql<infer Row> ? Row : never;
export type Statements = { [Name in keyof typeof STATEMENTS]: SqliteStatement<RowOf<(typeof STATEMENTS)[Name]>> };

/** Prepares all of them, so that none is compiled twice and a broken one is noticed when the database is opened. */
export function prepareStatements(db: SqliteDatabase): Statements {
  const prepared = Object.entries(STATEMENTS).map(([name, { text }]) => {
    const statement = db.prepare(text);
    statement.setReturnArrays(true);
    return [name, statement];
  });
  return Object.fromEntries(prepared) as Statements;
}

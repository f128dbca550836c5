import { expect, it } from 'vitest';
import { MEMORY, migrate, openDatabase } from '#sqlite';
import { READ_MODEL_SCHEMA } from './schema.js';
import { STATEMENTS } from './statements.js';

const RECORD = 'b USING INDEX bindings_by_record (ledger=? AND record_id=? AND unbound=?)';
const EXTERNAL_ID = 'b USING INDEX bindings_by_external_hash (ledger=? AND external_hash=? AND unbound=?)';
const BY_ID = 'b USING INDEX bindings_by_id (ledger=? AND unbound=? AND id=?)';
const ROW = 'bindings USING INTEGER PRIMARY KEY (rowid=?)';
const GENERATION = 'ledgers USING INDEX ledgers_by_role (role=? AND name=?)';
const LEDGER_ROW = 'ledgers USING INTEGER PRIMARY KEY (rowid=?)';

/**
 * What each statement searches, and how narrowly. That nothing is scanned does not suffice: a search of an index of which only
 * the ledger is known goes through the whole ledger.
 */
const SEARCHES: Record<keyof typeof STATEMENTS, string[]> = {
  beginRead: [],
  endRead: [],
  otherChanges: [],
  ownChanges: [],
  listRecordById: [RECORD],
  listRecordBySyncDate: [RECORD],
  listRecordByCreation: [RECORD],
  listExternalIdById: [EXTERNAL_ID],
  listExternalIdBySyncDate: [EXTERNAL_ID],
  listExternalIdByCreation: [EXTERNAL_ID],
  listById: ['b USING INDEX bindings_by_id (ledger=? AND unbound=? AND id>?)'],
  listTexts: ['b USING INDEX bindings_by_id (ledger=? AND unbound=? AND id>?)'],
  listBySyncDate: ['b USING INDEX bindings_by_sync_date (ledger=? AND unbound=? AND (sync_date,id)>(?,?) AND sync_date<?)'],
  listByCreation: ['b USING INDEX bindings_by_creation (ledger=? AND unbound=? AND (created_at,id)>(?,?) AND created_at<?)'],
  listPendingById: ['b USING INDEX pending_by_id (ledger=? AND id>?)'],
  listPendingByCreation: ['b USING INDEX pending_by_creation (ledger=? AND (created_at,id)>(?,?) AND created_at<?)'],
  listField: ['f USING PRIMARY KEY (ledger=? AND field=? AND value=? AND binding>?)', BY_ID],
  countSyncedAfter: ['b USING COVERING INDEX bindings_by_sync_date (ledger=? AND unbound=? AND sync_date>?)'],
  listSyncedAfter: [
    'b USING INTEGER PRIMARY KEY (rowid=?)',
    's USING COVERING INDEX bindings_by_sync_date (ledger=? AND unbound=? AND sync_date>?)',
  ],
  generation: [GENERATION],
  generationDocument: [GENERATION],
  roleOfNumber: [LEDGER_ROW],
  setRole: [LEDGER_ROW],
  deleteLedger: [LEDGER_ROW],
  bindingNumbers: ['bindings USING COVERING INDEX bindings_by_id (ledger=?)'],
  deleteBinding: [ROW],
  deleteHistory: ['history USING PRIMARY KEY (binding=? AND revision<?)'],
  deleteFields: [
    'binding_fields USING PRIMARY KEY (ledger=? AND field=? AND value=? AND binding=?)',
    'binding_fields USING PRIMARY KEY (ledger=?)',
  ],
  deleteKeys: [
    'idempotency USING INTEGER PRIMARY KEY (rowid=?)',
    'idempotency USING COVERING INDEX idempotency_by_key (ledger=?)',
  ],
  deleteCatalog: [],
  insertLedger: [],
  ledger: [LEDGER_ROW],
  currentLedger: [GENERATION],
  ledgersAfter: ['ledgers USING INDEX ledgers_by_role (role=? AND name>?)'],
  ledgerNumber: [GENERATION.replace('INDEX', 'COVERING INDEX')],
  ledgerCheckpoint: [LEDGER_ROW],
  ledgerIndexes: [LEDGER_ROW],
  ledgerProgress: ['ledgers USING INDEX ledgers_by_generation (name=? AND generation=?)'],
  updateLedger: [LEDGER_ROW],
  liveByExternalId: [EXTERNAL_ID.replace('b ', 'bindings ')],
  liveByExternalHashes: [EXTERNAL_ID],
  liveByRecordIds: [RECORD],
  byId: [BY_ID.replace('b ', 'bindings ')],
  byIds: [BY_ID],
  ofLocalRecord: ['l USING INDEX ledgers_by_local_model (local_model=? AND name>?)', RECORD.replace('unbound=', 'unbound<')],
  newestSyncDate: ['bindings USING COVERING INDEX bindings_by_sync_date (ledger=? AND unbound=?)'],
  bindingNumber: [BY_ID.replace('b USING', 'bindings USING COVERING')],
  knownByNumber: [ROW],
  liveKnownByRecord: [RECORD.replace('b ', 'bindings ')],
  liveKnownByExternalId: [EXTERNAL_ID.replace('b ', 'bindings ')],
  unboundByRecord: ['bindings USING INDEX unbound_by_record (record_id=? AND ledger=? AND revision>?)'],
  unboundByExternalId: ['bindings USING INDEX unbound_by_external_id (external_id=? AND ledger=? AND revision>?)'],
  formerRecord: ['history USING COVERING INDEX history_by_former_record (former_record_id=? AND ledger=? AND revision>?)'],
  formerExternalId: [
    'history USING COVERING INDEX history_by_former_external_id (former_external_id=? AND ledger=? AND revision>?)',
  ],
  historyOf: ['history USING PRIMARY KEY (binding=? AND revision>? AND revision<?)'],
  newestRow: ['history USING PRIMARY KEY (binding=? AND revision<?)'],
  newestSetting: ['history USING PRIMARY KEY (binding=? AND revision<?)'],
  insertHistory: [],
  storedByIds: [BY_ID],
  insertBinding: [],
  insertNewBinding: [],
  insertNewBindings: [],
  touchBinding: [ROW],
  syncBinding: [ROW],
  updateBinding: [ROW],
  insertField: [],
  deleteField: ['binding_fields USING PRIMARY KEY (ledger=? AND field=? AND value=? AND binding=?)'],
  clearField: ['binding_fields USING PRIMARY KEY (ledger=? AND field=?)'],
  liveDataAfter: ['bindings USING INDEX bindings_by_id (ledger=? AND unbound=? AND id>?)'],
  rememberKey: [],
  rememberedKeys: ['i USING INDEX idempotency_by_key (ledger=? AND scoped_key=?)'],
  forgetKeys: ['idempotency USING INTEGER PRIMARY KEY (rowid=?)', 'idempotency USING COVERING INDEX idempotency_by_time (at<?)'],
  saveCatalog: [],
  catalog: ['catalog USING INDEX sqlite_autoindex_catalog_1 (kind=? AND id=?)'],
  catalogAfter: ['catalog USING INDEX sqlite_autoindex_catalog_1 (kind=? AND id>?)'],
  saveFact: [],
  fact: ['facts USING PRIMARY KEY (name=?)'],
};
/** Sorts of what one record, one external id, one step or one ledger has. */
const SORTING = new Set([
  'listRecordById',
  'listRecordBySyncDate',
  'listRecordByCreation',
  'listExternalIdById',
  'listExternalIdBySyncDate',
  'listExternalIdByCreation',
  'listSyncedAfter',
  'ofLocalRecord',
]);

const db = openDatabase(MEMORY);
migrate(db, READ_MODEL_SCHEMA);

function planOf(text: string): string[] {
  if (/^(BEGIN|COMMIT)$/.test(text)) return [];
  return db
    .prepare<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
    .all()
    .map(({ detail }) => detail);
}

it.each(Object.entries(STATEMENTS))('%s searches as narrowly as it can, and scans nothing that grows', (name, { text }) => {
  const plan = planOf(text);
  const searches = plan.filter((detail) => detail.startsWith('SEARCH ')).map((detail) => detail.slice('SEARCH '.length));
  expect(searches).toEqual(SEARCHES[name as keyof typeof STATEMENTS]);
  // A list of keys, or of rows, is a table that the caller brings, and a subquery has a limit of its own.
  const scans = plan.filter(
    (detail) =>
      /\bSCAN\b/.test(detail) &&
      !/^SCAN (CONSTANT ROW|\d+-ROW VALUES CLAUSE|k VIRTUAL TABLE INDEX 1:|\(subquery-\d+\))$/.test(detail),
  );
  expect(scans).toEqual([]);
  expect(plan.some((detail) => detail.includes('TEMP B-TREE'))).toBe(SORTING.has(name));
});

it('numbers no parameter: several versions of node:sqlite take those for named ones, and leave them empty', () => {
  expect(Object.entries(STATEMENTS).filter(([, { text }]) => /\?\d/.test(text))).toEqual([]);
});

it('would notice a scan', () => {
  expect(planOf('SELECT * FROM bindings WHERE data = ?')).toEqual(['SCAN bindings']);
});

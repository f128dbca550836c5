/**
 * The statements that listings are read with: each walks one index from a place on. Which index is written out, because a
 * planner without statistics takes one of a whole ledger for as good as one of a single record.
 */
import { BINDING_COLUMNS_OF_B, BINDING_TEXT_OF_B, type BindingRow, type BindingTextRow } from './codec.js';
import { ONE_OF, sql, type Sql } from './sql.js';

const AFTER_ID = { after: 'b.id > ?', by: 'b.id' };
const AFTER_SYNC_DATE = { after: '(b.sync_date, b.id) > (?, ?)', by: 'b.sync_date, b.id' };
const AFTER_CREATION = { after: '(b.created_at, b.id) > (?, ?)', by: 'b.created_at, b.id' };

function list(index: string, where: string, { after, by }: typeof AFTER_ID): Sql<BindingRow> {
  return sql(
    `SELECT ${BINDING_COLUMNS_OF_B} FROM bindings b INDEXED BY ${index}
     WHERE b.ledger = ? AND ${where} AND ${after} ORDER BY ${by} LIMIT ?`,
  );
}

const RECORD = 'b.unbound = ? AND b.record_id = ?';
const EXTERNAL_ID = `b.unbound = ? AND b.external_hash ${ONE_OF} AND b.external_id = ?`;

export const LIST_STATEMENTS = {
  // Few bindings have the same record or external id, so these may be sorted in any order.
  listRecordById: list('bindings_by_record', RECORD, AFTER_ID),
  listRecordBySyncDate: list('bindings_by_record', RECORD, AFTER_SYNC_DATE),
  listRecordByCreation: list('bindings_by_record', RECORD, AFTER_CREATION),
  listExternalIdById: list('bindings_by_external_hash', EXTERNAL_ID, AFTER_ID),
  listExternalIdBySyncDate: list('bindings_by_external_hash', EXTERNAL_ID, AFTER_SYNC_DATE),
  listExternalIdByCreation: list('bindings_by_external_hash', EXTERNAL_ID, AFTER_CREATION),

  listById: list('bindings_by_id', 'b.unbound = ?', AFTER_ID),
  listBySyncDate: list('bindings_by_sync_date', 'b.unbound = ? AND b.sync_date < ?', AFTER_SYNC_DATE),
  listByCreation: list('bindings_by_creation', 'b.unbound = ? AND b.created_at < ?', AFTER_CREATION),
  listPendingById: list('pending_by_id', `b.state = 'pending'`, AFTER_ID),
  listPendingByCreation: list('pending_by_creation', `b.state = 'pending' AND b.created_at < ?`, AFTER_CREATION),

  listTexts: sql<BindingTextRow>(
    `SELECT b.id, ${BINDING_TEXT_OF_B} FROM bindings b INDEXED BY bindings_by_id
     WHERE b.ledger = ? AND b.unbound = ? AND b.id > ? ORDER BY b.id LIMIT ?`,
  ),

  listField: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS_OF_B} FROM binding_fields f CROSS JOIN bindings b INDEXED BY bindings_by_id
     ON b.ledger = f.ledger AND b.unbound = 0 AND b.id = f.binding
     WHERE f.ledger = ? AND f.field = ? AND f.value = ? AND f.binding > ? ORDER BY f.binding LIMIT ?`,
  ),

  countSyncedAfter: sql<[count: number]>(
    `SELECT count(*) FROM (SELECT 1 FROM bindings b INDEXED BY bindings_by_sync_date
     WHERE b.ledger = ? AND b.unbound = ? AND b.sync_date > ? LIMIT ?)`,
  ),
  // Sorts what the index alone tells, and fetches only the rows of the step.
  listSyncedAfter: sql<BindingRow>(
    `SELECT ${BINDING_COLUMNS_OF_B} FROM bindings b WHERE b.number IN (
       SELECT s.number FROM bindings s INDEXED BY bindings_by_sync_date
       WHERE s.ledger = ? AND s.unbound = ? AND s.sync_date > ? AND s.id > ? ORDER BY s.id LIMIT ?
     ) ORDER BY b.id`,
  ),
};

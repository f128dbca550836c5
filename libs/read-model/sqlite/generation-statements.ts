/** The statements by which generations are made, switched and dropped. */
import type { LedgerRow, Role } from './documents.js';
import { sql } from './sql.js';

export const GENERATION_STATEMENTS = {
  generation: sql<[number: number, generation: string, checkpoint: number]>(
    'SELECT number, generation, checkpoint FROM ledgers WHERE role = ? AND name = ?',
  ),
  generationDocument: sql<LedgerRow>(
    'SELECT name, backend, model, generation, checkpoint, hash, at, state FROM ledgers WHERE role = ? AND name = ?',
  ),
  roleOfNumber: sql<[role: Role]>('SELECT role FROM ledgers WHERE number = ?'),
  setRole: sql('UPDATE ledgers SET role = ? WHERE number = ?'),
  deleteLedger: sql('DELETE FROM ledgers WHERE number = ?'),

  // ── The rows of a generation, some at a time ──
  bindingNumbers: sql<[number: number]>('SELECT number FROM bindings INDEXED BY bindings_by_id WHERE ledger = ? LIMIT ?'),
  deleteBinding: sql('DELETE FROM bindings WHERE number = ?'),
  deleteHistory: sql('DELETE FROM history WHERE binding = ? AND revision <= ?'),
  deleteFields: sql(
    `DELETE FROM binding_fields WHERE (ledger, field, value, binding) IN (
       SELECT ledger, field, value, binding FROM binding_fields WHERE ledger = ? LIMIT ?)`,
  ),
  deleteKeys: sql(
    'DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency INDEXED BY idempotency_by_key WHERE ledger = ? LIMIT ?)',
  ),
  deleteCatalog: sql('DELETE FROM catalog'),
};

/** Rows of everything but bindings, as what they mean. */
import type { Answer, IdempotencyRecord, JsonObject, LedgerState } from '#domain';
import type { CatalogDocument, LedgerDocument } from '../src/port.js';

/**
 * What a generation is for. `building`: made anew, by whoever rebuilds; `next`: caught up, and every batch is applied to it first;
 * `current`: answers; `former`: answered before, and is kept up as long as somebody may ask it; `dropped`: its rows are being deleted.
 */
export type Role = 'building' | 'next' | 'current' | 'former' | 'dropped';

export type LedgerRow = [
  name: string,
  backend: string,
  model: string,
  generation: string,
  checkpoint: number,
  hash: string,
  at: string,
  state: string,
];
export type CatalogRow = [id: string, revision: number, document: string];
export type IdempotencyRow = [scopedKey: string, request: string, answer: string, at: string];

export function documentOf([, backend, model, generation, checkpoint, hash, at, state]: LedgerRow): LedgerDocument {
  // A batch is applied in one transaction: a reader never sees one that is under way.
  return { ledger: { backend, model }, generation, checkpoint, applying: checkpoint, hash, at, state: stateOf(state) };
}

let newest: { text: string; state: LedgerState } | undefined;

/** One command after the other reads the same state: it is parsed once, and frozen, since they share it. */
function stateOf(text: string): LedgerState {
  if (newest?.text !== text) {
    const state = JSON.parse(text) as LedgerState;
    for (const part of [state, state.counts, state.rules]) Object.freeze(part);
    newest = { text, state };
  }
  return newest.state;
}

export function recordOf([scopedKey, request, answer, at]: IdempotencyRow): IdempotencyRecord {
  return { scopedKey, request, answer: JSON.parse(answer) as Answer, at };
}

export function catalogDocumentOf([id, revision, document]: CatalogRow): CatalogDocument {
  return { id, revision, document: JSON.parse(document) as JsonObject };
}

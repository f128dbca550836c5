import { ledgerKey } from '#domain';
import type { BulkWrite, DocumentStore, Fields } from './document-store.js';
import type { ApplyResult, BindingWrite, LedgerBatch } from './port.js';
import { bindingId, BINDINGS, documentId, HISTORY, historyId, keyFields, KEYS, LEDGERS, within } from './stepwise-documents.js';
import type { Generations } from './stepwise-generations.js';

/** What an adapter keeps for its own queries besides. */
export interface StepwiseExtras {
  /** Further fields of a binding's document, set together with the others. */
  fieldsOf(write: BindingWrite, batch: LedgerBatch): Fields;
  /**
   * Called when a batch's documents are written and its checkpoint is not: does what the batch asks of documents that it has
   * no write for. May be interrupted and repeated.
   */
  written(batch: LedgerBatch): Promise<void>;
}

/**
 * Applies a batch without a transaction, in steps that may be repeated, interrupted or overtaken after each write: raise
 * `applying`, write each document where it is older, then move the checkpoint on by compare-and-set.
 */
export async function applyStepwise(
  documents: DocumentStore,
  generations: Generations,
  batch: LedgerBatch,
  extras?: StepwiseExtras,
): Promise<ApplyResult> {
  const { ledger, generation, after, to, hash, at, state } = batch;
  const announced = announce(documents, generations, batch);
  // Made ready meanwhile.
  const { bindings, history, keys } = writesOf(batch, extras);
  if (!(await announced)) return 'superseded';
  // Before the documents: what they no longer say of the time before, the rows say already.
  await write(documents, HISTORY, history);
  const missed = await write(documents, BINDINGS, bindings);
  await write(documents, KEYS, keys);
  if (missed && !(await allThere(documents, bindings)) && (await wasDropped(generations, batch)))
    return leave(generations, batch);
  await extras?.written(batch);
  const set = { checkpoint: to, hash, at, state };
  return (await documents.update(LEDGERS, documentId(ledger, generation), { checkpoint: after }, { set }))
    ? 'applied'
    : leave(generations, batch);
}

function writesOf(
  batch: LedgerBatch,
  extras: StepwiseExtras | undefined,
): { bindings: BulkWrite[]; history: BulkWrite[]; keys: BulkWrite[] } {
  const { ledger, generation } = batch;
  const scope = within(ledger, generation);
  const bindings = batch.bindings.map((binding) => ({
    id: bindingId(ledger, generation, binding.update.id),
    // Not `version − 1`: a folded write, or one after an interruption, follows on any older version.
    where: { version: { below: binding.update.version } },
    set: binding.update,
    also: placeOf(binding, batch, extras),
    upsert: binding.createdRevision !== undefined,
  }));
  const history = batch.history.map((row) => ({
    id: historyId(ledger, generation, row.revision),
    where: {},
    set: { ...row },
    also: scope,
    upsert: true,
  }));
  const keys = batch.idempotency.map((record) => ({
    id: bindingId(ledger, generation, record.scopedKey),
    where: { revision: { below: record.answer.revision } },
    set: keyFields(record),
    also: scope,
    upsert: true,
  }));
  return { bindings, history, keys };
}

/** If the generation was dropped while it was written to, what was written since would never be read, and never go. */
async function leave(generations: Generations, { ledger, generation }: LedgerBatch): Promise<ApplyResult> {
  if ((await generations.document(ledger, generation)) === undefined) await generations.sweep(ledger, generation);
  return 'superseded';
}

/** Where a binding's document stands, and what else it has besides what its events say. */
function placeOf(binding: BindingWrite, batch: LedgerBatch, extras: StepwiseExtras | undefined): Fields {
  const { backend, model } = batch.ledger;
  const { createdRevision } = binding;
  const place = { backend, model, generation: batch.generation };
  const fields: Fields = createdRevision === undefined ? place : { ...place, createdRevision };
  return extras === undefined ? fields : Object.assign(fields, extras.fieldsOf(binding, batch));
}

/**
 * Tells readers that documents may run ahead of the checkpoint. Refused when another projector was here, when the generation
 * is gone, and when another generation is to have the batch first.
 */
async function announce(documents: DocumentStore, generations: Generations, batch: LedgerBatch): Promise<boolean> {
  const { ledger, generation, after, to } = batch;
  const raise = (successor: string | null) =>
    documents.update(LEDGERS, documentId(ledger, generation), { checkpoint: after, successor }, { raise: { applying: to } });
  if (await raise(null)) return true;
  const document = await generations.document(ledger, generation);
  if (document === undefined || document.checkpoint !== after || document.successor === null) return false;
  const next = await generations.document(ledger, document.successor);
  if (next === undefined || next.checkpoint < to) return false;
  return raise(document.successor);
}

/**
 * Writes each document where it is older. A taken id does not mean that it is not: another projector may have inserted an
 * older version in between, so that write is repeated once. True when some matched nothing.
 */
async function write(documents: DocumentStore, collection: string, writes: readonly BulkWrite[]): Promise<boolean> {
  if (writes.length === 0) return false;
  const { written, duplicates } = await documents.bulk(collection, writes);
  if (written === writes.length) return false;
  const again = duplicates.map((place) => ({ ...(writes[place] as BulkWrite), upsert: false }));
  const repeated = again.length === 0 ? 0 : (await documents.bulk(collection, again)).written;
  return written + repeated < writes.length;
}

/** What was not written must be there, as new or newer: else something is missing that was applied before. */
async function allThere(documents: DocumentStore, writes: readonly BulkWrite[]): Promise<boolean> {
  const found = await documents.find(BINDINGS, { _id: { in: writes.map(({ id }) => id) } });
  const versions = new Map(found.map(({ _id, version }) => [_id, version as number]));
  return writes.every(({ id, set }) => (versions.get(id) ?? 0) >= (set['version'] as number));
}

async function wasDropped(generations: Generations, { ledger, generation, to }: LedgerBatch): Promise<boolean> {
  if ((await generations.document(ledger, generation)) === undefined) return true;
  throw new Error(
    `broken invariant: documents of ${ledgerKey(ledger)} that revision ${to} follows on are missing in generation ${generation}`,
  );
}

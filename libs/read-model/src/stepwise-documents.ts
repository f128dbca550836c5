/** How the stepwise read model keeps its documents: their collections, ids and fields. Every one but a pointer belongs to a generation. */
import { ledgerKey, type Binding, type IdempotencyRecord, type LedgerName } from '#domain';
import type { Fields, StoredDocument, Where } from './document-store.js';
import type { DecisionKeys, LedgerDocument } from './port.js';

export const BINDINGS = 'bindings';
export const LEDGERS = 'ledgers';
export const KEYS = 'keys';
/** A document per event of a binding after its creation. */
export const HISTORY = 'history';
/** One document per ledger, which says which generation is current. */
export const POINTERS = 'generations';

/** A ledger's document, with the generation that follows it: set from when that one is kept up too. */
export interface GenerationDocument extends LedgerDocument {
  successor: string | null;
}

export interface Pointer {
  current: string;
  /** Being built beside the current one, and the one that was current before. At most one of them is there. */
  building: string | null;
  former: string | null;
  /** Number of the newest generation: names count on, so that none is ever used again. */
  last: number;
}

export function documentId(ledger: LedgerName, generation: string): string {
  return `${ledgerKey(ledger)} ${generation}`;
}

export function bindingId(ledger: LedgerName, generation: string, id: string): string {
  return `${ledgerKey(ledger)} ${generation} ${id}`;
}

/** All documents of one generation of a ledger. */
export function within(
  { backend, model }: LedgerName,
  generation: string,
): { backend: string; model: string; generation: string } {
  return { backend, model, generation };
}

export function emptyDocument(ledger: LedgerName, generation: string, state: LedgerDocument['state']): StoredDocument {
  const { backend, model } = ledger;
  const empty = { checkpoint: -1, applying: -1, hash: '', at: '', state, successor: null };
  return { _id: documentId(ledger, generation), ...within({ backend, model }, generation), ...empty };
}

export function toLedgerDocument({ _id, backend, model, ...fields }: StoredDocument): GenerationDocument {
  return { ledger: { backend, model }, ...fields } as unknown as GenerationDocument;
}

/** A ledger's document as it is answered: which generation follows it is the read model's own business. */
export function withoutSuccessor<T extends GenerationDocument>({ successor: _, ...document }: T): Omit<T, 'successor'> {
  return document;
}

export function toPointer({ _id, ...fields }: StoredDocument): Pointer {
  return fields as unknown as Pointer;
}

export function historyId(ledger: LedgerName, generation: string, revision: number): string {
  return `${ledgerKey(ledger)} ${generation} ${revision}`;
}

/** Field by field: what is left when others are taken out of an object costs several times as much. */
export function toBinding(document: StoredDocument): Binding {
  const { id, recordId, externalId, state, syncDate, data, version, revision, createdAt, updatedAt } =
    document as unknown as Binding;
  const binding = { id, recordId, externalId, state, syncDate, data, version, revision, createdAt, updatedAt };
  return state === 'unbound' ? withItsEnd(binding, document as unknown as Binding) : binding;
}

function withItsEnd(binding: Binding, { unboundAt, cause, reason }: Binding): Binding {
  if (unboundAt !== undefined) binding.unboundAt = unboundAt;
  if (cause !== undefined) binding.cause = cause;
  if (reason !== undefined) binding.reason = reason;
  return binding;
}

export function keyFields({ scopedKey, request, answer, at }: IdempotencyRecord): Fields {
  return { scopedKey, request, answer, at, revision: answer.revision };
}

export function toIdempotencyRecord({ scopedKey, request, answer, at }: StoredDocument): IdempotencyRecord {
  return { scopedKey, request, answer, at } as unknown as IdempotencyRecord;
}

/** Which bindings match a key: live ones by record or external id, any by binding id. Each is a query that an index serves. */
export function queriesOf(scope: Where, keys: Pick<DecisionKeys, 'recordIds' | 'externalIds' | 'bindingIds'>): Where[] {
  const live = { ...scope, state: { in: ['pending', 'bound'] } };
  const queries: Where[] = [];
  if (keys.recordIds.length > 0) queries.push({ ...live, recordId: { in: keys.recordIds } });
  if (keys.externalIds.length > 0) queries.push({ ...live, externalId: { in: keys.externalIds } });
  if (keys.bindingIds.length > 0) queries.push({ ...scope, id: { in: keys.bindingIds } });
  return queries;
}

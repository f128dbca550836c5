import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  MAX_VIOLATIONS,
  isBindingEvent,
  jsonEqual,
  ledgerKey,
  refuse,
  type Binding,
  type BindingEvent,
  type JsonObject,
  type LedgerName,
  type LedgerRules,
  type Refusal,
  type SchemaValidator,
  type Violation,
} from '#domain';
import { MAX_PAGE_EVENTS, type EventStore } from '#event-store';
import { MAX_PAGE_BINDINGS, type ReadModel } from '#read-model';
import { readLedgerEvent } from './chain.js';
import { DuplicateRecords } from './duplicate-records.js';
import { DEFAULT_LIMITS } from './limits.js';
import type { StreamNames } from './streams.js';

export interface ViolationParts {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  validator: SchemaValidator;
}

/** What a live binding is checked by. */
type Checked = Pick<Binding, 'id' | 'recordId' | 'externalId' | 'data'>;

/** The newest of a binding among the events that the read model may not have applied. */
interface Newer {
  identity: BindingEvent['data'];
  data: JsonObject | undefined;
  createdHere: boolean;
}

/** How often a ledger is looked through again because a rebuilt read model took the place of the old one meanwhile. */
const MAX_LOOKS = 5;

/**
 * What in a ledger, at its revision `head`, keeps it from changing its rules; empty when nothing does. `moved`: its head is
 * not `head` any more, so what was found may never have stood there together. Reads the read model's pages and the events
 * after its checkpoint.
 */
export async function violationsOf(
  parts: ViolationParts,
  ledger: LedgerName,
  rules: { before: LedgerRules; after: LedgerRules },
  head: number,
): Promise<Violation[] | Refusal | 'moved'> {
  const { before, after } = rules;
  const ofRecords = before.cardinality === 'many' && after.cardinality === 'one';
  const schema = jsonEqual(before.dataSchema, after.dataSchema) ? null : after.dataSchema;
  if (!ofRecords && schema === null) return [];
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    const document = await parts.readModel.ledgerDocument(ledger);
    const checkpoint = document?.checkpoint ?? -1;
    if (head - checkpoint > DEFAULT_LIMITS.tailEvents) break;
    const found = await look(parts, ledger, await tailAfter(parts, ledger, checkpoint, head), schema, ofRecords);
    if (found.length === 0) return found;
    if ((await parts.store.headRevision(parts.streams.ledger(ledger))) !== head) return 'moved';
    if ((await parts.readModel.ledgerDocument(ledger))?.generation === document?.generation) return found;
  }
  return refuse(
    'BUSY',
    `the read model of ledger ${ledgerKey(ledger)} is too far behind, or being rebuilt: the ledger cannot be checked now`,
  );
}

async function look(
  parts: ViolationParts,
  ledger: LedgerName,
  tail: Map<string, Newer>,
  schema: JsonObject | null,
  ofRecords: boolean,
): Promise<Violation[]> {
  const found: Violation[] = [];
  const records = new DuplicateRecords();
  for await (const binding of liveBindings(parts.readModel, ledger, tail)) {
    if (ofRecords) records.add(binding.recordId);
    const errors = schema === null ? [] : parts.validator.problemsOf(schema, binding.data);
    if (errors.length > 0) found.push({ ...example(ledger, binding), problem: 'the data does not match the schema', errors });
    if (found.length === MAX_VIOLATIONS) return found;
  }
  const isCandidate = records.candidates(MAX_VIOLATIONS);
  if (isCandidate === undefined) return found;
  const seen = new Set<string>();
  for await (const binding of liveBindings(parts.readModel, ledger, tail)) {
    if (!isCandidate(binding.recordId)) continue;
    if (seen.has(binding.recordId)) found.push({ ...example(ledger, binding), problem: 'the record has another live binding' });
    seen.add(binding.recordId);
    if (found.length === MAX_VIOLATIONS) return found;
  }
  return found;
}

function example(ledger: LedgerName, { id, recordId, externalId }: Checked): Omit<Violation, 'problem'> {
  return { ledger: ledgerKey(ledger), bindingId: id, recordId, externalId };
}

async function tailAfter(
  { store, streams }: ViolationParts,
  ledger: LedgerName,
  checkpoint: number,
  head: number,
): Promise<Map<string, Newer>> {
  const tail = new Map<string, Newer>();
  for (let after = checkpoint; after < head;) {
    const page = await store.readStream(streams.ledger(ledger), { after, limit: Math.min(MAX_PAGE_EVENTS, head - after) });
    for (const event of page.map(readLedgerEvent)) {
      if (!isBindingEvent(event)) continue;
      const known = tail.get(event.data.bindingId);
      const createdHere = known?.createdHere ?? event.type === 'BindingCreated';
      tail.set(event.data.bindingId, { identity: event.data, data: event.data.data ?? known?.data, createdHere });
    }
    after = page.at(-1)?.revision ?? head;
  }
  return tail;
}

/** Live bindings at the tail's end, by pages; other work has its turn between them. */
async function* liveBindings(
  readModel: ReadModel,
  ledger: LedgerName,
  tail: Map<string, Newer>,
): AsyncGenerator<Checked, void, undefined> {
  const shown = new Set<string>();
  for (let cursor: string | undefined; ;) {
    const page = await readModel.list(ledger, {}, MAX_PAGE_BINDINGS, cursor);
    for (const binding of page.items) {
      const newer = tail.get(binding.id);
      if (newer !== undefined) shown.add(binding.id);
      if (newer === undefined) yield binding;
      else if (newer.identity.state !== 'unbound') yield advanced(newer, binding.data);
    }
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
    await nextTurn();
  }
  // What the pages did not have yet was created after the checkpoint, so the tail has all of it.
  for (const [id, newer] of tail) {
    if (newer.createdHere && newer.identity.state !== 'unbound' && !shown.has(id)) yield advanced(newer, {});
  }
}

function advanced({ identity, data }: Newer, before: JsonObject): Checked {
  return { id: identity.bindingId, recordId: identity.recordId, externalId: identity.externalId, data: data ?? before };
}

/** What the events make of a ledger's bindings, and where a document differs from it. */
import type { Binding, LedgerCounts } from '#domain';
import { hasPrint, printOf } from './data-print.js';
import { BindingTable, type FoldedBinding } from './folded-binding.js';
import { IdPlaces } from './id-tables.js';
import { KeyTable, NOWHERE } from './key-table.js';
import { show } from './stored-event.js';

type Identity = Pick<Binding, 'recordId' | 'externalId' | 'state'>;

/** The bindings, and who holds which record and external id. */
export class FoldedBindings {
  private readonly table = new BindingTable();
  private readonly ids: IdPlaces;
  private readonly byExternalId: KeyTable;
  /** Of a record with several bindings, one of them. */
  private readonly byRecord: KeyTable;
  /** Records with more than one live binding, and all of these. */
  private readonly several = new Map<string, number[]>();
  readonly counts: LedgerCounts = { pending: 0, bound: 0, unbound: 0 };

  /** `expected`: how many bindings there will be, about. */
  constructor(expected = 0) {
    this.ids = new IdPlaces(expected);
    this.byExternalId = new KeyTable((place, id) => this.table.isExternalIdAt(place, id), expected);
    this.byRecord = new KeyTable((place, id) => this.table.isRecordAt(place, id), expected);
  }

  get size(): number {
    return this.ids.size;
  }

  get recordsWithSeveral(): number {
    return this.several.size;
  }

  get(id: string): FoldedBinding | undefined {
    const place = this.ids.get(id);
    return place === undefined ? undefined : this.table.at(place);
  }

  *all(): Generator<[id: string, binding: FoldedBinding]> {
    for (const [id, place] of this.ids.entries()) yield [id, this.table.at(place)];
  }

  /** A new one, without anything yet; none when there was a binding of that id. */
  add(id: string): FoldedBinding | undefined {
    return this.ids.add(id) ? this.table.add() : undefined;
  }

  /** Makes a live binding known by its keys. Answers how many of its record there are then, or `'taken'` when another has its external id. */
  enter(binding: FoldedBinding, { recordId, externalId, state }: Identity): number | 'taken' {
    const { place } = binding;
    this.counts[state] += 1;
    if (state === 'unbound') return 0;
    if (externalId !== null && this.byExternalId.set(externalId, place) !== NOWHERE) return 'taken';
    const before = this.byRecord.set(recordId, place);
    if (before === NOWHERE) return 1;
    const others = this.several.get(recordId);
    if (others !== undefined) return others.push(place);
    // Read back: what is cut out of the text of an event keeps all of it.
    this.several.set(binding.recordId, [before, place]);
    return 2;
  }

  /** Before its keys or its state change. */
  leave({ place, recordId, externalId, state }: FoldedBinding): void {
    this.counts[state] -= 1;
    if (state === 'unbound') return;
    if (externalId !== null) this.byExternalId.delete(externalId);
    const rest = this.several.get(recordId)?.filter((holder) => holder !== place);
    const [other] = rest ?? [];
    if (rest === undefined || other === undefined) return this.byRecord.delete(recordId);
    this.byRecord.set(recordId, other);
    if (rest.length > 1) this.several.set(recordId, rest);
    else this.several.delete(recordId);
  }
}

/** Whether a `BindingText` is just what the events say. That it is not can also be due to how it is written. */
export function isTextOf(text: string, folded: FoldedBinding): boolean {
  const from = folded.endOfIdsIn(text);
  if (from === undefined) return false;
  const { syncDate, state, version, revision } = folded;
  const rest = `,${quoted(syncDate)},"${state}",${version},${revision},${endOf(folded)}`;
  // Of two lists one of which begins with the other, both are the same: so what is behind it is the data.
  return text.startsWith(rest, from) && hasPrint(text.slice(from + rest.length), folded.data);
}

let newestEnd = { createdAt: '', updatedAt: '', text: '' };

/** Of bindings that were changed together it is the same. */
function endOf(folded: FoldedBinding): string {
  const { createdAt, updatedAt, unboundAt } = folded;
  if (unboundAt !== undefined) return `"${createdAt}","${updatedAt}",${endOfUnbound(folded)}`;
  if (createdAt !== newestEnd.createdAt || updatedAt !== newestEnd.updatedAt)
    newestEnd = { createdAt, updatedAt, text: `"${createdAt}","${updatedAt}",null,null,null]` };
  return newestEnd.text;
}

function endOfUnbound({ unboundAt, cause, reason }: FoldedBinding): string {
  return `${quoted(unboundAt)},${quoted(cause)},${JSON.stringify(reason ?? null)}]`;
}

/** Of what has no characters that JSON escapes. */
function quoted(text: string | null | undefined): string {
  return text === null || text === undefined ? 'null' : `"${text}"`;
}

/** In what a document of the read model is not what the events say; nothing when it is the same. */
export function differenceOf(document: Binding, folded: FoldedBinding): string | undefined {
  return isSame(document, folded) ? undefined : differencesOf(document, folded);
}

function isSame(document: Binding, folded: FoldedBinding): boolean {
  return (
    document.revision === folded.revision &&
    document.version === folded.version &&
    document.state === folded.state &&
    folded.isRecord(document.recordId) &&
    folded.isExternalId(document.externalId) &&
    document.syncDate === folded.syncDate &&
    document.createdAt === folded.createdAt &&
    document.updatedAt === folded.updatedAt &&
    document.unboundAt === folded.unboundAt &&
    document.cause === folded.cause &&
    document.reason === folded.reason &&
    printOf(document.data) === folded.data
  );
}

function differencesOf(document: Binding, folded: FoldedBinding): string | undefined {
  const { unboundAt, cause, reason } = document;
  const seen = { ...document, data: printOf(document.data), unboundAt, cause, reason };
  const differing = COMPARED.filter((member) => (seen[member] ?? undefined) !== (folded[member] ?? undefined));
  if (differing.length === 0) return undefined;
  return differing.map((member) => `${member} is ${show(seen[member])}, the events say ${show(folded[member])}`).join('; ');
}

const COMPARED = [
  'recordId',
  'externalId',
  'syncDate',
  'data',
  'state',
  'version',
  'revision',
  'createdAt',
  'updatedAt',
  'unboundAt',
  'cause',
  'reason',
] as const;

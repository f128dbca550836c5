/** What the events make of a ledger's bindings, kept small: of data only what tells it from other data. */
import type { Binding, BindingState, JsonObject, LedgerCounts, RemovalCause } from '#domain';
import { canonicalJson, sha256 } from '#ledger';
import { IdMap } from './id-tables.js';
import { ShardedMap } from './sharded.js';
import { show } from './stored-event.js';

/** Known by its id; most members are shared texts, or those of the event that made it. */
export interface FoldedBinding {
  recordId: string;
  externalId: string | null;
  syncDate: string | null;
  /** `printOf` its data. */
  data: string;
  state: BindingState;
  version: number;
  revision: number;
  createdAt: string;
  updatedAt: string;
  unboundAt: string | undefined;
  cause: RemovalCause | undefined;
  reason: string | undefined;
  /** Its document in the read model was found and is the same. */
  seen: boolean;
}

/** Data is kept as it is while it is short, else as its hash. */
const SHORT_DATA = 64;

export function printOf(data: JsonObject): string {
  for (const _ in data) return printOfFilled(data);
  return '{}';
}

function printOfFilled(data: JsonObject): string {
  const text = canonicalJson(data);
  return text.length <= SHORT_DATA ? text : sha256(text);
}

/** The bindings, and who holds which record and external id. */
export class FoldedBindings {
  private readonly byId = new IdMap<FoldedBinding>();
  private readonly byExternalId = new ShardedMap<FoldedBinding>();
  private readonly byRecord = new ShardedMap<FoldedBinding | FoldedBinding[]>();
  /** Records with more than one live binding. */
  recordsWithSeveral = 0;
  readonly counts: LedgerCounts = { pending: 0, bound: 0, unbound: 0 };

  get size(): number {
    return this.byId.size;
  }

  get(id: string): FoldedBinding | undefined {
    return this.byId.get(id);
  }

  all(): Generator<[id: string, binding: FoldedBinding]> {
    return this.byId.entries();
  }

  /** False when there was a binding of that id. */
  add(id: string, binding: FoldedBinding): boolean {
    return this.byId.add(id, binding);
  }

  /** Makes a live binding known by its keys. Answers how many of its record there are then, or `'taken'` when another has its external id. */
  enter(binding: FoldedBinding): number | 'taken' {
    this.counts[binding.state] += 1;
    if (binding.state === 'unbound') return 0;
    if (binding.externalId !== null && !this.byExternalId.set(binding.externalId, binding)) return 'taken';
    const others = this.byRecord.get(binding.recordId);
    if (others === undefined) {
      this.byRecord.set(binding.recordId, binding);
      return 1;
    }
    if (Array.isArray(others)) return others.push(binding);
    this.byRecord.set(binding.recordId, [others, binding]);
    this.recordsWithSeveral += 1;
    return 2;
  }

  /** Before its keys or its state change. */
  leave(binding: FoldedBinding): void {
    this.counts[binding.state] -= 1;
    if (binding.state === 'unbound') return;
    if (binding.externalId !== null) this.byExternalId.delete(binding.externalId);
    const holders = this.byRecord.get(binding.recordId);
    if (!Array.isArray(holders)) return this.byRecord.delete(binding.recordId);
    const rest = holders.filter((holder) => holder !== binding);
    this.byRecord.set(binding.recordId, rest.length > 1 ? rest : (rest[0] as FoldedBinding));
    if (rest.length === 1) this.recordsWithSeveral -= 1;
  }
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
    document.recordId === folded.recordId &&
    document.externalId === folded.externalId &&
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

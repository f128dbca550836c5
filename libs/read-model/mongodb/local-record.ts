import type { Collection, FindOptions } from 'mongodb';
import { ledgerKey, type LedgerName } from '#domain';
import { ReadModelError, type LocalRecordPage, type LocatedBinding } from '../src/port.js';
import type { Generations } from '../src/stepwise.js';
import { toBinding } from '../src/stepwise-documents.js';
import { decode, keyOf, namesOf, type MongoDocument } from './codec.js';
import type { Session } from './errors.js';
import { scalar, text, type MongoFilter } from './filters.js';
import { BINDINGS, BY, LEDGERS, LIVE_KEY } from './schema.js';

/** Ledgers that are asked together. A record has at most a hundred live bindings in each, and seldom more than one. */
const LEDGERS_AT_ONCE = 32;
const LEDGERS_PER_READ = 500;
const MAX_LOOKS = 20;

export interface LocalRecord {
  localModel: string;
  recordId: string;
  includeUnbound: boolean;
}

/** Where one ledger's bindings of the record are, and, of the ledger that a page begins in, behind which of them. */
interface Part {
  scopes: string[];
  behind?: string;
}

type Known = NonNullable<Awaited<ReturnType<Generations['knownCurrent']>>> & { ledger: LedgerName; scope: string };

/**
 * The bindings of a record in all ledgers of its local model. Each ledger answers from its current generation alone; a page reads
 * no more bindings than it has, whatever the others are.
 */
export class LocalRecords {
  constructor(
    private readonly session: Session,
    private readonly generations: () => Generations,
  ) {}

  async find(record: LocalRecord, page?: LocalRecordPage): Promise<LocatedBinding[]> {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const known = await this.ledgersOf(record.localModel);
      const found = await this.inParts(record, partsOf(known, page?.after), page?.limit ?? Infinity);
      // What was known of a generation for too long may have been dropped by now, and its bindings with it.
      if (known.every((each) => this.generations().isYoung(each))) return found;
    }
    throw new ReadModelError('UNAVAILABLE', `the ledgers of ${record.localModel} were not the same for the time of one answer`);
  }

  private async inParts(record: LocalRecord, parts: readonly Part[], limit: number): Promise<LocatedBinding[]> {
    const found: LocatedBinding[] = [];
    for (const part of parts) {
      if (found.length >= limit) break;
      for (const document of await this.inPart(record, part, limit - found.length))
        found.push(locatedOf(document, record.localModel));
    }
    return found;
  }

  /** The first of a few ledgers' bindings, in the order of the answer. */
  private async inPart({ recordId, includeUnbound }: LocalRecord, part: Part, limit: number): Promise<MongoDocument[]> {
    const { scopes, behind } = part;
    const record = text(recordId);
    const beyond = behind === undefined ? {} : { id: { $gt: text(behind) } };
    const live = { [LIVE_KEY.recordId]: { $in: scopes.map((scope) => keyOf(scope, record)) }, ...beyond };
    const former = { scope: { $in: scopes }, recordId: { $eq: record }, live: { $eq: false }, ...beyond };
    // A binding that is unbound meanwhile is met as one or as the other, or as both: then as what it is now.
    const found = new Map<string, MongoDocument>();
    for (const document of await this.read(live, limit, { sort: { scope: 1, id: 1 } })) found.set(document._id, document);
    if (includeUnbound) {
      // The record is the same in all of them: with it, the order is the index's own.
      const sort = { scope: 1, recordId: 1, id: 1 } as const;
      for (const document of await this.read(former, limit, { sort, hint: BY.formerRecordAndId }))
        found.set(document._id, document);
    }
    return [...found.values()].sort((a, b) => compare(a._id, b._id)).slice(0, limit);
  }

  private read(filter: MongoFilter, limit: number, options: FindOptions): Promise<MongoDocument[]> {
    const bounded = limit === Infinity ? options : { ...options, limit, batchSize: limit };
    return this.session.run(() => this.collection(BINDINGS).find(filter, bounded).toArray());
  }

  /** In the order of their names. */
  private async ledgersOf(localModel: string): Promise<Known[]> {
    const filter = { localModel: { $eq: scalar(localModel) } };
    const options = { projection: { scope: 1 }, batchSize: LEDGERS_PER_READ };
    const documents = await this.session.run(() => this.collection(LEDGERS).find(filter, options).toArray());
    const current = documents.map(async (document): Promise<Known[]> => {
      const scope = document['scope'] as string;
      const { generation, ...ledger } = namesOf(scope);
      const known = await this.generations().knownCurrent(ledger);
      return known?.generation === generation ? [{ ...known, ledger, scope }] : [];
    });
    return (await Promise.all(current)).flat().sort((a, b) => compare(ledgerKey(a.ledger), ledgerKey(b.ledger)));
  }

  private collection(name: string): Collection<MongoDocument> {
    return this.session.db.collection<MongoDocument>(name);
  }
}

/** The ledger that a page begins in by itself, then the ones behind it, a few at a time. */
function partsOf(known: readonly Known[], after: LocalRecordPage['after']): Part[] {
  const parts: Part[] = [];
  const rest: string[] = [];
  for (const { ledger, scope } of known) {
    const order = after === undefined ? 1 : compare(ledgerKey(ledger), after.ledger);
    if (order > 0) rest.push(scope);
    else if (order === 0 && after !== undefined) parts.push({ scopes: [scope], behind: after.id });
  }
  for (let start = 0; start < rest.length; start += LEDGERS_AT_ONCE)
    parts.push({ scopes: rest.slice(start, start + LEDGERS_AT_ONCE) });
  return parts;
}

function locatedOf(document: MongoDocument, localModel: string): LocatedBinding {
  const { backend, model } = namesOf(document['scope'] as string);
  return { ...toBinding(decode(BINDINGS, document)), backend, model, localModel };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

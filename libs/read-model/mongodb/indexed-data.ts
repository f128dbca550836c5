import type { Collection } from 'mongodb';
import type { JsonObject } from '#domain';
import { scalarText } from '../src/filter.js';
import type { BindingWrite, LedgerBatch } from '../src/port.js';
import type { Fields, Generations, StepwiseExtras } from '../src/stepwise.js';
import { scopeOf, type MongoDocument } from './codec.js';
import type { Session } from './errors.js';
import { BINDINGS, BY } from './schema.js';

/** Filling an index anew goes over the ledger in steps of this many bindings. */
const BINDINGS_PER_STEP = 1_000;
const MAX_KNOWN_LEDGERS = 10_000;

/** A field and its value as the index has them. */
export function indexedAs(field: string, text: string): string {
  return JSON.stringify([field, text]);
}

/**
 * The data fields of live bindings that can be filtered on: a list of (field, value) in each document. What stands there is
 * always so; that it is complete for the fields of the rules is seen to before the checkpoint that has the rules.
 */
export class IndexedData implements StepwiseExtras {
  /** Up to which checkpoint this instance has applied a generation, and the fields that were indexed there. */
  private readonly known = new Map<string, { checkpoint: number; indexes: readonly string[] }>();

  constructor(
    private readonly session: Session,
    private readonly generations: () => Generations,
  ) {}

  fieldsOf({ update, createdRevision }: BindingWrite, { state }: LedgerBatch): Fields {
    const created = createdRevision !== undefined;
    const { indexes } = state.rules;
    if (update.state === 'unbound') return created ? {} : { indexed: [] };
    if (update.data === undefined || (created && indexes.length === 0)) return {};
    return { indexed: entriesOf(update.data, indexes) };
  }

  async written(batch: LedgerBatch): Promise<void> {
    const { ledger, generation, after, to, state } = batch;
    const scope = scopeOf({ ...ledger, generation });
    const { indexes } = state.rules;
    const before = await this.indexesBefore(scope, batch);
    const missing = before === undefined ? [] : indexes.filter((field) => !before.includes(field));
    if (missing.length > 0 && after >= 0) await this.fill(scope, indexes);
    if (this.known.size >= MAX_KNOWN_LEDGERS) this.known.clear();
    if (before !== undefined) this.known.set(scope, { checkpoint: to, indexes });
  }

  /** The fields that were indexed at the checkpoint before the batch; `undefined` when that is not the checkpoint any more. */
  private async indexesBefore(scope: string, { ledger, generation, after }: LedgerBatch): Promise<readonly string[] | undefined> {
    const known = this.known.get(scope);
    if (known?.checkpoint === after) return known.indexes;
    const document = await this.generations().document(ledger, generation);
    return document?.checkpoint === after ? document.state.rules.indexes : undefined;
  }

  /** Every live binding's list is made anew, from its data as it is then. A newer version brings its own. */
  private async fill(scope: string, indexes: readonly string[]): Promise<void> {
    const bindings = this.session.db.collection<MongoDocument>(BINDINGS);
    for (let last = ''; ;) {
      const step = await this.session.run(() => readStep(bindings, scope, last));
      const writes = step.map(({ _id, version, data }) => ({
        updateOne: {
          filter: { _id: { $eq: _id }, version: { $eq: version } },
          update: { $set: { indexed: entriesOf(JSON.parse(data as string) as JsonObject, indexes) } },
        },
      }));
      if (writes.length > 0) await this.session.run(() => bindings.bulkWrite(writes, { ordered: false }));
      if (step.length < BINDINGS_PER_STEP) return;
      last = step.at(-1)?.['id'] as string;
    }
  }
}

function readStep(bindings: Collection<MongoDocument>, scope: string, after: string): Promise<MongoDocument[]> {
  return bindings
    .find(
      { scope: { $eq: scope }, live: { $eq: true }, id: { $gt: after } },
      {
        sort: { id: 1 },
        hint: BY.id,
        limit: BINDINGS_PER_STEP,
        batchSize: BINDINGS_PER_STEP,
        projection: { id: 1, version: 1, data: 1 },
      },
    )
    .toArray();
}

function entriesOf(data: JsonObject, indexes: readonly string[]): string[] {
  return indexes.flatMap((field) => {
    const value = Object.hasOwn(data, field) ? scalarText(data[field]) : undefined;
    return value === undefined ? [] : [indexedAs(field, value)];
  });
}

import { ReadModelError } from '#read-model';
import type { BulkResult, BulkWrite, Condition, DocumentStore, Fields, Order, StoredDocument, Where } from '#read-model/stepwise';
import type { FaultRates } from './faults.js';
import type { Scheduler, SimulatedProcess } from './scheduler.js';

/** Some writes of a bulk take their time, and an upsert twice. */
const SLOW_WRITES = 0.15;
const MAX_WRITE_MS = 60;

/** What the document store holds, once for all processes. Each method does one thing to one document, or looks. */
export class DocumentServer {
  /** Called after each change of a collection. */
  changed: (collection: string) => void = () => undefined;
  private readonly collections = new Map<string, Map<string, StoredDocument>>();

  get(collection: string, id: string): StoredDocument | undefined {
    return this.collection(collection).get(id);
  }

  matching(collection: string, where: Where): StoredDocument[] {
    return [...this.collection(collection).values()].filter((document) => matches(document, where));
  }

  insert(collection: string, document: StoredDocument): boolean {
    const documents = this.collection(collection);
    if (documents.has(document._id)) return false;
    documents.set(document._id, document);
    this.changed(collection);
    return true;
  }

  update(collection: string, id: string, where: Where, set: Fields, raise: Record<string, number> = {}): boolean {
    const document = this.get(collection, id);
    if (document === undefined || !matches(document, where)) return false;
    const changed: StoredDocument = { ...document, ...set };
    for (const [field, value] of Object.entries(raise)) changed[field] = Math.max(value, document[field] as number);
    this.collection(collection).set(id, changed);
    this.changed(collection);
    return true;
  }

  remove(collection: string, id: string, where: Where): boolean {
    const document = this.get(collection, id);
    if (document === undefined || !matches(document, where)) return false;
    this.collection(collection).delete(id);
    this.changed(collection);
    return true;
  }

  private collection(name: string): Map<string, StoredDocument> {
    const known = this.collections.get(name) ?? new Map<string, StoredDocument>();
    this.collections.set(name, known);
    return known;
  }
}

function matches(document: StoredDocument, where: Where): boolean {
  for (const field in where) if (!holds(document[field], where[field] as Condition)) return false;
  return true;
}

function holds(value: unknown, condition: Condition): boolean {
  if (condition === null) return value === null || value === undefined;
  if (typeof condition !== 'object') return Array.isArray(value) ? value.includes(condition) : value === condition;
  if ('in' in condition) return condition.in.some((each) => each === value);
  if ('below' in condition) return typeof value === typeof condition.below && (value as number | string) < condition.below;
  if (typeof value !== 'number') return false;
  if ('above' in condition && value <= condition.above) return false;
  return condition.atMost === undefined || value <= condition.atMost;
}

function inOrder(documents: StoredDocument[], order: Order | undefined): StoredDocument[] {
  if (order === undefined) return documents;
  const { by, descending } = order;
  const ascending = documents.toSorted((a, b) => (a[by] as number) - (b[by] as number));
  return descending ? ascending.toReversed() : ascending;
}

/** The document store as one process sees it: nothing but a single document's change is one step. */
export class SimulatedDocumentStore implements DocumentStore {
  constructor(
    private readonly server: DocumentServer,
    private readonly scheduler: Scheduler,
    private readonly process: SimulatedProcess,
    private readonly rates: FaultRates,
  ) {}

  get(collection: string, id: string): Promise<StoredDocument | undefined> {
    return this.call(() => this.server.get(collection, id), false);
  }

  /** Comes upon the documents in two steps, so that what is written meanwhile is seen in some and not in others. */
  async find(collection: string, where: Where, limit = Infinity, order?: Order): Promise<StoredDocument[]> {
    const early = new Set<string>();
    const first = await this.call(() => {
      for (const { _id } of this.server.matching(collection, {})) if (this.scheduler.random.chance(0.5)) early.add(_id);
      return this.server.matching(collection, where).filter(({ _id }) => early.has(_id));
    }, false);
    const second = await this.call(() => this.server.matching(collection, where).filter(({ _id }) => !early.has(_id)), false);
    return inOrder(this.scheduler.random.shuffled([...first, ...second]), order).slice(0, limit);
  }

  async search(collection: string, where: Where): Promise<() => Promise<StoredDocument[]>> {
    const found = await this.find(collection, where);
    return () => Promise.resolve(found);
  }

  insert(collection: string, document: StoredDocument): Promise<boolean> {
    return this.call(() => this.server.insert(collection, document), true);
  }

  update(
    collection: string,
    id: string,
    where: Where,
    { set = {}, raise }: { set?: Fields; raise?: Record<string, number> },
  ): Promise<boolean> {
    return this.call(() => this.server.update(collection, id, where, set, raise), true);
  }

  bulk(collection: string, writes: readonly BulkWrite[]): Promise<BulkResult> {
    const { random } = this.scheduler;
    const interruptedAfter = random.chance(this.rates.documents) ? random.below(writes.length + 1) : Infinity;
    return new Promise((resolve, reject) => {
      const begin = () => this.work(collection, writes, interruptedAfter, { resolve, reject });
      this.scheduler.later(this.process, begin, { orphan: begin });
    });
  }

  async remove(collection: string, where: Where, limit: number): Promise<number> {
    const ids = await this.call(() => this.server.matching(collection, where).slice(0, limit), false);
    let removed = 0;
    for (const { _id } of ids) if (await this.call(() => this.server.remove(collection, _id, where), true)) removed += 1;
    return removed;
  }

  /** The server's work on a bulk: it goes on when the client is gone, or not. */
  private work(
    collection: string,
    writes: readonly BulkWrite[],
    interruptedAfter: number,
    client: { resolve(result: BulkResult): void; reject(error: Error): void },
  ): void {
    const { random } = this.scheduler;
    const order = random.shuffled(writes.map((_, place) => place));
    const result: BulkResult = { written: 0, duplicates: [] };
    const answer = (settle: () => void) => this.scheduler.later(this.process, settle);
    const stopsAfter = random.chance(0.3) ? random.below(writes.length + 1) : Infinity;
    let done = 0;
    const goOn = (): void => {
      if (done === interruptedAfter) answer(() => client.reject(fault()));
      if (done >= Math.min(interruptedAfter, this.process.alive ? Infinity : 0) && done >= stopsAfter) return;
      const place = order[done];
      if (place === undefined) return answer(() => client.resolve(result));
      done += 1;
      this.write(collection, writes[place] as BulkWrite, (outcome) => {
        if (outcome === 'duplicate') result.duplicates.push(place);
        if (outcome === 'written') result.written += 1;
        goOn();
      });
    };
    goOn();
  }

  /** An upsert looks first and inserts later: in between, another may have inserted. */
  private write(
    collection: string,
    { id, where, set: fields, also, upsert }: BulkWrite,
    then: (outcome: 'written' | 'missed' | 'duplicate') => void,
  ): void {
    const afterMs = this.scheduler.random.chance(SLOW_WRITES) ? this.scheduler.random.below(MAX_WRITE_MS) : 0;
    const set = { ...fields, ...also };
    const inserted = () => then(this.server.insert(collection, { _id: id, ...set }) ? 'written' : 'duplicate');
    const begin = () => {
      if (this.server.update(collection, id, where, set)) return then('written');
      if (!upsert) return then('missed');
      return this.scheduler.later(this.scheduler.network, inserted, { afterMs });
    };
    this.scheduler.later(this.scheduler.network, begin, { afterMs });
  }

  private call<T>(act: () => T, writes: boolean): Promise<T> {
    const { random } = this.scheduler;
    if (!random.chance(this.rates.documents)) return this.scheduler.call(this.process, act);
    return this.scheduler.failingCall(this.process, writes && random.chance(0.5) ? act : undefined, fault());
  }
}

function fault(): ReadModelError {
  return new ReadModelError('UNAVAILABLE', 'a fault of the simulation');
}

/**
 * What the stepwise read model needs of a document store that has no transactions: each call reads or changes each document by
 * itself, and nothing holds several together.
 */
export type Scalar = string | number | boolean | null;
/**
 * Equal to a scalar (a field that is a list: has it as a member), one of several, a number or string below a bound, a number at
 * most a bound, or one above a bound and at most another. `null` also matches a field that is not there.
 */
export type Condition =
  | Scalar
  | { in: readonly Scalar[] }
  | { below: number | string }
  | { atMost: number }
  | { above: number; atMost?: number };
export type Where = { readonly [field: string]: Condition };
export type Fields = Record<string, unknown>;
/** `_id` names the document in its collection, for ever. */
export type StoredDocument = Fields & { _id: string };

/** By a field that every document found has, ascending or descending; `limit` then keeps the first. */
export interface Order {
  by: string;
  descending?: true;
}

/** One write of a bulk, of one document: fields are set where the document matches, or, in an upsert, where there is none. */
export interface BulkWrite {
  id: string;
  where: Where;
  set: Fields;
  /** Further fields to set, apart from the others, so that whoever has them apart need not copy them together. */
  also?: Fields;
  upsert: boolean;
}

export interface BulkResult {
  /** Documents that were changed or inserted. */
  written: number;
  /** Places in the bulk of upserts that matched nothing and found the id taken when they came to insert. */
  duplicates: number[];
}

export interface DocumentStore {
  get(collection: string, id: string): Promise<StoredDocument | undefined>;
  /**
   * All documents that match, each as it is when it is come upon: not all of the same moment. Where `limit` cuts off is arbitrary
   * without an order.
   */
  find(collection: string, where: Where, limit?: number, order?: Order): Promise<StoredDocument[]>;
  /** All that match, found now; documents are made of them when they are asked for, while something else can be waited for. */
  search(collection: string, where: Where): Promise<() => Promise<StoredDocument[]>>;
  /** False when the id is taken. */
  insert(collection: string, document: StoredDocument): Promise<boolean>;
  /** Changes the document with this id in one step, if it matches; `raise` sets a number only if it is higher. False when nothing matched. */
  update(
    collection: string,
    id: string,
    where: Where,
    change: { set?: Fields; raise?: Record<string, number> },
  ): Promise<boolean>;
  /** Writes in any order, one by one. When it fails, some may have been done and others not, and some may yet be. */
  bulk(collection: string, writes: readonly BulkWrite[]): Promise<BulkResult>;
  /** Removes documents, at most `limit`, each only if it matches at that moment; answers how many. When it fails, some may be gone. */
  remove(collection: string, where: Where, limit: number): Promise<number>;
}

/** A listing: one page of it, all of it page by page, or all of it as one stream. */
import type { Page } from './wire-bindings.js';

export interface ListingSource<T> {
  page(cursor: string | undefined): Promise<Page<T>>;
  stream(): AsyncGenerator<T>;
  /** There are no pages: a loop reads the stream. */
  streamOnly?: boolean;
}

/**
 * `for await (const item of listing)` reads page after page: each is asked for when the one before is used up, and tried
 * again by itself, so that long loops survive a restarted server. Nothing is sent before it is asked for.
 */
export class Listing<T> implements AsyncIterable<T> {
  readonly #source: ListingSource<T>;

  constructor(source: ListingSource<T>) {
    this.#source = source;
  }

  /** The first page, or the one that begins at `cursor`: a page's `nextCursor`. */
  page(cursor?: string): Promise<Page<T>> {
    return this.#source.page(cursor);
  }

  /** Everything through one NDJSON answer, read as it is used. An answer that ends before its end throws `STREAM_CUT`. */
  stream(): AsyncGenerator<T> {
    return this.#source.stream();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    if (this.#source.streamOnly === true) return yield* this.#source.stream();
    let cursor: string | undefined;
    do {
      const page = await this.#source.page(cursor);
      yield* page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
}

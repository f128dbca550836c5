/** How much is read and answered together: as many items as asked for, but no more bytes than other work can wait for. */
import type { JsonValue } from '#domain';

/** A page ends early when its items' data has so many bytes. One binding may have 64 KiB. */
export const MAX_PAGE_BYTES = 524_288;
/** Rows of a step of a page: at first, and at most. */
const FIRST_ROWS = 8;
const MAX_ROWS = 128;
/** Steps grow while they read far less, and shrink when they read more. */
const MAX_STEP_BYTES = 131_072;
const GROWTH = 4;

/** A page is read in steps, with a turn for other work of the process after each. */
export class PageSteps {
  /** Of the next step. */
  rows: number;
  private bytes = 0;

  constructor(limit: number) {
    this.rows = Math.max(1, Math.min(limit, FIRST_ROWS));
  }

  /** Whether the page has as many bytes as it may have. */
  get full(): boolean {
    return this.bytes >= MAX_PAGE_BYTES;
  }

  /** Told of what a step read. */
  read(bytes: number): void {
    if (bytes > MAX_STEP_BYTES) this.rows = Math.max(1, Math.floor(this.rows / GROWTH));
    else if (bytes * GROWTH <= MAX_STEP_BYTES) this.rows = Math.min(this.rows * GROWTH, MAX_ROWS);
  }

  /** Told of what goes into the page. */
  took(bytes: number): void {
    this.bytes += bytes;
  }
}

/** About what a value takes as JSON: cheaper to know than by writing it. */
export function bytesOf(value: JsonValue | undefined): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 5;
  let bytes = 2;
  if (Array.isArray(value)) for (const item of value) bytes += bytesOf(item) + 1;
  else for (const name in value) bytes += name.length + 4 + bytesOf(value[name]);
  return bytes;
}

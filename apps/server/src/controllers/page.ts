import type { z } from 'zod';
import { MAX_PAGE, type pageQuery } from '#schemas';

export type PageQuery = z.output<typeof pageQuery>;

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** Definitions and backends are few: without a limit, as many come as may. */
export function sizeOf({ limit = MAX_PAGE }: PageQuery): number {
  return limit;
}

/** A page of what is ordered by name: the next one begins after the last name. */
export function pageOf<T>(items: T[], size: number, nameOf: (item: T) => string): Page<T> {
  const last = items.at(-1);
  return { items, nextCursor: last === undefined || items.length < size ? null : nameOf(last) };
}

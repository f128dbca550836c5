/** Events as they are stored, before anything is believed of them. */
import type { RecordedEvent } from '#event-store';

export interface StoredEvent extends Pick<RecordedEvent, 'revision' | 'id' | 'type' | 'data' | 'metadata'> {
  /** The text of its data, where that is known to be canonical JSON. */
  dataText?: string | undefined;
  /** Its hash, and the text of its metadata without it, where that is known to be canonical. `metadata` has no hash then. */
  chained?: { hash: string; metadataText: string } | undefined;
}

/** The first event of a ledger that is not what it was, or cannot have been written by a ledger. */
export interface Fault {
  revision: number;
  /** `null` when no event can be named: it is missing, or cannot be read. */
  eventId: string | null;
  why: string;
}

/** What a ledger was at a revision. Kept elsewhere, it proves later that nothing up to there was changed. */
export interface KnownDigest {
  revision: number;
  hash: string;
}

/** Looks at the events of one ledger in order; answers why one cannot follow on those before it. */
export interface EventChecker {
  /** Of the last event that was found good; −1 before the first. */
  readonly revision: number;
  readonly hash: string;
  check(event: StoredEvent): string | undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const MAX_SHOWN_LENGTH = 100;

/** A value as a message shows it. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= MAX_SHOWN_LENGTH ? text : `${text.slice(0, MAX_SHOWN_LENGTH - 1)}…`;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

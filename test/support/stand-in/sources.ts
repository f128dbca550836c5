/** Where the events of a read or of a subscription come from: a stream, or all of them, from somewhere, filtered. */
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { DELETED_STREAM } from './wire.js';
import { isSoftDeleted, type EventLog, type LogEvent, type Stream } from './log.js';

export type Accepts = (event: LogEvent) => boolean;

interface FilterMessage {
  hasStreamIdentifier(): boolean;
  getStreamIdentifier(): { getRegex(): string; getPrefixList(): string[] } | undefined;
  getEventType(): { getRegex(): string; getPrefixList(): string[] } | undefined;
}

/** A filter on the name of the stream or on the type of the event, by prefixes or by a regular expression. */
export function filterOf(filter: FilterMessage): Accepts {
  const byName = filter.hasStreamIdentifier();
  const expression = byName ? filter.getStreamIdentifier() : filter.getEventType();
  const prefixes = expression?.getPrefixList() ?? [];
  const regex = expression?.getRegex() ? new RegExp(expression.getRegex(), 'u') : undefined;
  const textOf = byName ? (event: LogEvent) => event.stream : (event: LogEvent) => event.type;
  if (regex !== undefined) return (event) => regex.test(textOf(event));
  return (event) => prefixes.some((prefix) => textOf(event).startsWith(prefix));
}

/** First revision that is not hidden by the metadata of the stream, age aside. */
export function firstVisible({ events, metadata }: Stream): number {
  const { maxCount, truncateBefore = 0n } = metadata;
  const byCount = maxCount === undefined ? 0 : Math.max(0, events.length - maxCount);
  return Math.max(byCount, truncateBefore === DELETED_STREAM ? events.length : Number(truncateBefore));
}

export function isYoungEnough({ metadata }: Stream, event: LogEvent, nowMs: number): boolean {
  return metadata.maxAgeSeconds === undefined || event.createdMs + metadata.maxAgeSeconds * 1_000 >= nowMs;
}

export function isReadable(stream: Stream | undefined): stream is Stream {
  return stream !== undefined && stream.events.length > 0 && !isSoftDeleted(stream);
}

/** Events of a stream, from a revision (inclusive) on. */
export function* streamEvents(
  stream: Stream,
  from: bigint | 'start' | 'end',
  backwards: boolean,
  nowMs: number,
): Generator<LogEvent> {
  const last = stream.events.length - 1;
  const start = from === 'start' ? 0n : from === 'end' ? BigInt(last) : from;
  if (backwards) {
    const least = firstVisible(stream);
    for (let index = Math.min(last, from === 'start' ? 0 : Number(start)); index >= least; index--) {
      const event = stream.events[index] as LogEvent;
      if (isYoungEnough(stream, event, nowMs)) yield event;
    }
  } else if (from !== 'end') {
    for (let index = Math.max(Number(start), firstVisible(stream)); index <= last; index++) {
      const event = stream.events[index] as LogEvent;
      if (isYoungEnough(stream, event, nowMs)) yield event;
    }
  }
}

/** All events: forwards those at and after a position, backwards those before it. */
export function* allEvents(
  log: EventLog,
  from: number | 'start' | 'end',
  backwards: boolean,
  accepts: Accepts,
): Generator<LogEvent> {
  const { events } = log;
  const start = from === 'start' ? 0 : from === 'end' ? events.length : log.indexOf(from);
  const end = events.length;
  if (backwards) {
    for (let index = start - 1; index >= 0; index--) if (accepts(events[index] as LogEvent)) yield events[index] as LogEvent;
  } else {
    for (let index = start; index < end; index++) if (accepts(events[index] as LogEvent)) yield events[index] as LogEvent;
  }
}

type Options = ReadReq.Options;

export function revisionOf(options: NonNullable<ReturnType<Options['getStream']>>): bigint | 'start' | 'end' {
  if (options.hasRevision()) return BigInt(options.getRevision());
  return options.hasEnd() ? 'end' : 'start';
}

export function positionOf(options: {
  getPosition(): { getCommitPosition(): string } | undefined;
  hasEnd(): boolean;
}): number | 'start' | 'end' {
  const position = options.getPosition();
  if (position === undefined) return options.hasEnd() ? 'end' : 'start';
  const commit = BigInt(position.getCommitPosition());
  return commit > BigInt(Number.MAX_SAFE_INTEGER) ? 'end' : Number(commit);
}

/** Events as server-sent events: no faster than they are read, and to a reader that does not read not at all. */
import type { FastifyReply } from 'fastify';
import type { FeedBatch, FeedEvent, PublishPosition } from '#ledger';
import { AnswerWriter, type LinesOptions } from '../bulk/answer-writer.js';

export const EVENT_STREAM = 'text/event-stream';
/** How soon a browser's `EventSource` comes again after its connection broke. */
const RECONNECT_MS = 2_000;
/** Timers may be early: a heartbeat is not left out for a millisecond. */
const NEARLY = 0.9;
const HEADERS = {
  'content-type': `${EVENT_STREAM}; charset=utf-8`,
  // `no-transform`: a proxy that compresses would hold events back until it has enough of them.
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

export interface EventStreamParts {
  /** Batches for this reader, and where each leaves it; also without events, when nothing came for a while. */
  batches: AsyncIterable<FeedBatch>;
  publish: PublishPosition;
  from: string;
  heartbeatMs: number;
  sent: (events: number) => void;
}

/** Takes the answer over from Fastify, with the headers that were set so far. */
export function beginEventStream(reply: FastifyReply, { stallMs }: LinesOptions): AnswerWriter {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, HEADERS);
  raw.flushHeaders();
  return new AnswerWriter(raw, stallMs);
}

/** Resolves when there are no more batches, or the reader has gone or was cut off. */
export async function sendEvents(
  writer: AnswerWriter,
  { batches, publish, from, heartbeatMs, sent }: EventStreamParts,
): Promise<void> {
  if (!(await writer.write(`retry: ${RECONNECT_MS}\n${heartbeat(from)}`))) return;
  let spokenAt = performance.now();
  for await (const { events, position } of batches) {
    if (events.length > 0) {
      if (!(await writer.write(textOf(events)))) return;
      sent(events.length);
    } else if (performance.now() - spokenAt >= heartbeatMs * NEARLY) {
      if (!(await writer.write(heartbeat(publish(position))))) return;
    } else continue;
    spokenAt = performance.now();
  }
}

/** A block without data is no event: it only says where a reader that comes again is to begin. */
function heartbeat(position: string): string {
  return `id: ${position}\n\n`;
}

/** Readers of everything are given the same events, so their text is made once. */
const texts = new WeakMap<readonly FeedEvent[], Buffer>();

function textOf(events: readonly FeedEvent[]): Buffer {
  const made = texts.get(events);
  if (made !== undefined) return made;
  let text = '';
  for (const { view, json } of events) text += `id: ${view.position}\ndata: ${json}\n\n`;
  const buffer = Buffer.from(text);
  texts.set(events, buffer);
  return buffer;
}

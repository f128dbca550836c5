/** Long answers as NDJSON: listings and events. */
import { setImmediate as breath } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { prefers } from '../http/accept.js';
import { NDJSON } from '../http/body-parsers.js';
import { AnswerWriter, type LinesOptions } from './answer-writer.js';

/** Whether the caller asks for NDJSON by `Accept`. */
export function wantsLines(request: FastifyRequest): boolean {
  return prefers(request.headers.accept, NDJSON);
}

export function linesOf(items: readonly unknown[]): string {
  let text = '';
  for (const item of items) text += `${JSON.stringify(item)}\n`;
  return text;
}

/** Takes the answer over from Fastify, with the headers that were set so far. */
export function beginLines(reply: FastifyReply, { stallMs }: LinesOptions): AnswerWriter {
  reply.hijack();
  const writer = new AnswerWriter(reply.raw, stallMs);
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
  reply.raw.writeHead(200, { 'content-type': NDJSON, 'cache-control': 'no-store' });
  reply.raw.flushHeaders();
  return writer;
}

/** Answers with pages of items as they are produced; resolves when all are sent, or the reader has gone. */
export async function sendPages(
  request: FastifyRequest,
  reply: FastifyReply,
  pages: AsyncIterable<readonly unknown[]>,
  options: LinesOptions,
): Promise<void> {
  const writer = beginLines(reply, options);
  if (request.method === 'HEAD') return writer.end();
  try {
    for await (const items of pages) {
      if (options.closing.aborted) return writer.cut();
      if (!(await writer.write(linesOf(items)))) return;
      // A reader that takes everything at once leaves no pause for others.
      await breath();
    }
    writer.end();
  } catch (error) {
    request.log.error({ err: error }, 'an answer was broken off');
    writer.cut();
  }
}

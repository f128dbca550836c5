import type { FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, refuse, type Refusal } from '#domain';
import { orThrow } from '../http/problem.js';
import type { AnswerWriter, LinesOptions } from './answer-writer.js';
import { beginLines, linesOf, wantsLines } from './lines.js';

/** How often long work says how far it is. It keeps the connection from looking idle, too. */
const PROGRESS_EVERY_MS = 250;

export interface LongWork<Result, At> {
  /** What it is, for the caller whose work was broken off: "the rebuild". */
  name: string;
  run(signal: AbortSignal, progress: (at: At) => void): Promise<Result | Refusal>;
}

/** Work that takes long, for as long as the caller stays: as JSON its result, as lines how far it is and at last the result. */
export async function answerLongWork<Result extends object, At>(
  request: FastifyRequest,
  reply: FastifyReply,
  options: LinesOptions,
  work: LongWork<Result, At>,
): Promise<void> {
  const gone = new AbortController();
  const end = () => gone.abort();
  request.raw.socket.once('close', end);
  options.closing.addEventListener('abort', end);
  const { signal } = gone;
  try {
    if (wantsLines(request)) await answerInLines(reply, options, (tell) => result(work, signal, tell));
    else void reply.send(orThrow(await result(work, signal, () => undefined)));
  } finally {
    request.raw.socket.off('close', end);
    options.closing.removeEventListener('abort', end);
  }
}

async function result<Result, At>(
  { name, run }: LongWork<Result, At>,
  signal: AbortSignal,
  tell: (at: At) => void,
): Promise<Result | Refusal> {
  try {
    return await run(signal, tell);
  } catch (error) {
    // The caller has gone, or the server shuts down.
    if (signal.aborted) return refuse('STORE_UNAVAILABLE', `${name} was broken off`);
    throw error;
  }
}

/** Until the first line is due nothing is sent, so that a refusal has its status. */
async function answerInLines<Result extends object, At>(
  reply: FastifyReply,
  options: LinesOptions,
  run: (tell: (at: At) => void) => Promise<Result | Refusal>,
): Promise<void> {
  let writer: AnswerWriter | undefined;
  let told = performance.now();
  const tell = (at: At): void => {
    if (performance.now() - told < PROGRESS_EVERY_MS) return;
    told = performance.now();
    writer ??= beginLines(reply, options);
    void writer.write(linesOf([at]));
  };
  try {
    const report = await run(tell);
    if (isRefusal(report)) {
      if (writer === undefined) return void orThrow<object>(report);
      return writer.cut();
    }
    writer ??= beginLines(reply, options);
    await writer.write(linesOf([report]));
    writer.end();
  } catch (error) {
    writer?.cut();
    throw error;
  }
}

/**
 * A stand-in for the HTTP API in tests of its clients: a real server on a real socket that records what it is sent and
 * answers what the test has scripted, one reply a request, in the order of the requests.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  method: string;
  /** As it came, percent-encoded, without the query. */
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  /** Empty when the reply read, or left, the body itself. */
  body: string;
}

/** Answers one request. A reply that sets `streamed` is called before the body is read. */
export interface Reply {
  (response: ServerResponse, request: IncomingMessage, received: ReceivedRequest): void | Promise<void>;
  streamed?: true;
}

export class FakeLedgerServer {
  readonly requests: ReceivedRequest[] = [];
  /** What a reply threw; `close` throws it on. */
  readonly #failures: unknown[] = [];
  readonly #replies: Reply[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#failures.push(error);
        response.destroy();
      });
    });
  }

  static async start(): Promise<FakeLedgerServer> {
    const fake = new FakeLedgerServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The newest request; throws when there was none. */
  get last(): ReceivedRequest {
    const last = this.requests.at(-1);
    if (last === undefined) throw new Error('no request came');
    return last;
  }

  /** Scripts the replies to the next requests. */
  reply(...replies: Reply[]): void {
    this.#replies.push(...replies);
  }

  /** Throws when a scripted reply was not asked for, or one failed. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, 'a reply failed');
    if (this.#replies.length > 0) throw new Error(`${this.#replies.length} scripted replies were not asked for`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const query = Object.fromEntries(url.searchParams);
    const path = (request.url ?? '/').split('?')[0]!;
    const received: ReceivedRequest = { method: request.method ?? '', path, query, headers: request.headers, body: '' };
    this.requests.push(received);
    const reply = this.#replies.shift() ?? problem(500, 'UNSCRIPTED');
    if (reply.streamed !== true) received.body = await textOf(request);
    await reply(response, request, received);
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function problem(
  status: number,
  code: string,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Reply {
  const body = {
    type: `urn:problem:${code}`,
    title: code,
    status,
    detail: `detail of ${code}`,
    code,
    retryable: status === 503 || status === 429,
    ...more,
  };
  return json(body, status, { 'content-type': 'application/problem+json', ...headers });
}

/** Anything that is no answer of a ledger, such as a proxy's page. */
export function page(status: number, text: string): Reply {
  return (response) => void response.writeHead(status, { 'content-type': 'text/html' }).end(text);
}

export function ndjson(items: readonly unknown[]): Reply {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.end(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  };
}

/**
 * Some lines of an NDJSON answer, and when `seen` is fulfilled the connection is gone. A `fetch` whose connection breaks
 * forgets what it has received and not yet given out, so a test that counts lines has to say when they have been seen.
 */
export function ndjsonCut(items: readonly unknown[], seen: Promise<unknown>): Reply {
  return async (response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    await seen;
    response.destroy();
  };
}

/** The connection is gone before an answer. */
export function cut(): Reply {
  return (response) => void response.destroy();
}

/** Called as soon as the request's head is there, with its body unread. */
export function streamed(reply: (response: ServerResponse, request: IncomingMessage) => void | Promise<void>): Reply {
  return Object.assign((response: ServerResponse, request: IncomingMessage) => reply(response, request), {
    streamed: true as const,
  });
}

export interface ReceivedLine {
  /** Counted from 1 on each connection. */
  line: number;
  command: Record<string, unknown>;
}

/**
 * A `commands` call: reads line by line, and writes what `answer` gives for each; `'cut'` breaks the connection in its
 * place, `'end'` ends the answer properly although more lines may come.
 */
export function commands(answer: (received: ReceivedLine) => unknown): Reply {
  return streamed(async (response, request) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    let line = 0;
    for await (const text of linesOf(request)) {
      line += 1;
      const result = await answer({ line, command: JSON.parse(text) as Record<string, unknown> });
      if (result === 'cut') return void response.destroy();
      if (result === 'end') break;
      if (!response.write(`${JSON.stringify(result)}\n`)) await drainOf(response);
    }
    response.end();
  });
}

/** Whole lines, read as they are asked for; a client that went away ends them. */
async function* linesOf(request: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const piece of request.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      const lines = `${rest}${piece as string}`.split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    if (!request.destroyed) throw error;
  }
}

/** Until the client has read on, or is gone. */
async function drainOf(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const events = ['drain', 'close'].map((event) => once(response, event, { signal: over.signal }));
  await Promise.race(events);
  over.abort();
  await Promise.allSettled(events);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

/** A `fetch` that never answers, and ends when it is aborted. */
export function silentFetch(_url: string | URL | Request, init?: RequestInit): Promise<Response> {
  return new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
  });
}

/** Sends calls: headers, deadline, retries, and errors as `LedgerError`. */
import { Deadline } from './deadline.js';
import { errorOfResponse, isLedgerError, LedgerError } from './errors.js';
import { parseLine, readLines } from './ndjson.js';
import type { CallOptions, ClientOptions, ReadOptions, WriteOptions } from './options.js';
import { RetryPolicy } from './retry.js';
import { queryText, type Query } from './values.js';

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Made with `path`, so that ids in it are encoded. */
  path: string;
  query?: Query;
  body?: object;
  options?: CallOptions;
}

interface Request {
  /** What messages call it: method and path, without query. */
  name: string;
  url: string;
  method: Call['method'];
  headers: Record<string, string>;
  body?: string | ReadableStream<Uint8Array>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
export const NDJSON = 'application/x-ndjson';

export class Transport {
  readonly retry: RetryPolicy;
  readonly #base: string;
  readonly #options: ClientOptions;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: ClientOptions) {
    this.#base = baseOf(options.url);
    this.#options = options;
    this.#fetch = options.fetch ?? globalThis.fetch;
    this.retry = new RetryPolicy(options.retry);
    if (options.apiKey !== undefined) assertHeader('apiKey', options.apiKey);
  }

  /** A call that changes nothing. */
  async read<T>(call: Call & { options?: ReadOptions }, extraWaitMs = 0): Promise<T> {
    const { atLeast, atLeastTimeoutMs } = call.options ?? {};
    const query = { ...call.query, atLeast, timeout: atLeastTimeoutMs };
    return this.#send<T>(this.#request({ ...call, query }), call.options ?? {}, extraWaitMs + (atLeastTimeoutMs ?? 0));
  }

  /** A call that changes something: every try of it carries the same idempotency key. */
  async write<T>(call: Call & { options?: WriteOptions }): Promise<T> {
    const { ifBinding, reason, expectedVersion, idempotencyKey = crypto.randomUUID() } = call.options ?? {};
    const request = this.#request({ ...call, query: { ...call.query, ifBinding, reason } });
    assertHeader('idempotencyKey', idempotencyKey);
    request.headers['idempotency-key'] = idempotencyKey;
    if (expectedVersion !== undefined) request.headers['if-match'] = `"${expectedVersion}"`;
    try {
      return await this.#send<T>(request, call.options ?? {});
    } catch (error) {
      if (isLedgerError(error)) error.idempotencyKey = idempotencyKey;
      throw error;
    }
  }

  /** A read that is answered by NDJSON; tried again until its first byte, after which an end before the end is `STREAM_CUT`. */
  async *lines<T>(call: Call & { options?: ReadOptions }): AsyncGenerator<T> {
    const { atLeast, atLeastTimeoutMs, signal, timeoutMs = this.#timeoutMs } = call.options ?? {};
    const request = this.#request({ ...call, query: { ...call.query, atLeast, timeout: atLeastTimeoutMs } });
    request.headers['accept'] = NDJSON;
    const deadline = new Deadline(timeoutMs + (atLeastTimeoutMs ?? 0), signal);
    try {
      const response = await this.#retrying(request, deadline, () => this.#open(request, deadline.signal));
      deadline.disarm();
      for await (const lines of readLines(bodyOf(response, request.name))) yield* lines.map((line) => parseLine<T>(line));
    } catch (error) {
      throw this.explain(error, request.name, deadline, 'STREAM_CUT');
    } finally {
      deadline.stop();
    }
  }

  /** One try of a request with a streamed body; the answer is readable while the request is still being written. */
  async openDuplex(call: Call, body: ReadableStream<Uint8Array>, deadline: Deadline): Promise<ReadableStream<Uint8Array>> {
    const request: Request = { ...this.#request(call), body };
    request.headers['content-type'] = NDJSON;
    request.headers['accept'] = NDJSON;
    return bodyOf(await this.#open(request, deadline.signal), request.name);
  }

  /** One try of a read that is answered by a stream of another type. */
  async openStream(call: Call, type: string, deadline: Deadline): Promise<ReadableStream<Uint8Array>> {
    const request = this.#request(call);
    request.headers['accept'] = type;
    return bodyOf(await this.#open(request, deadline.signal), request.name, type);
  }

  /** The status and body of one try, whatever they are. */
  async probe(call: Call): Promise<{ status: number; text: string }> {
    const request = this.#request(call);
    const deadline = new Deadline(call.options?.timeoutMs ?? this.#timeoutMs, call.options?.signal);
    try {
      const response = await this.#fetch(request.url, this.#init(request, deadline.signal));
      return { status: response.status, text: await response.text() };
    } catch (error) {
      throw this.explain(error, request.name, deadline);
    } finally {
      deadline.stop();
    }
  }

  /**
   * What a failure means to the caller: the reason of its own signal, what the ledger said, a passed deadline, or a
   * connection that broke, which is called `codeOfBreak`.
   */
  explain(
    error: unknown,
    request: string,
    deadline: Deadline,
    codeOfBreak: 'UNREACHABLE' | 'STREAM_CUT' = 'UNREACHABLE',
  ): unknown {
    if (deadline.callerAborted) return deadline.callerReason;
    if (isLedgerError(error)) return error;
    const context = { request, cause: error, retryable: true };
    if (deadline.expired) return LedgerError.local('DEADLINE_EXCEEDED', 'no answer in time; a write may have been done', context);
    if (codeOfBreak === 'STREAM_CUT') return LedgerError.local('STREAM_CUT', `the connection broke: ${causeOf(error)}`, context);
    return LedgerError.local('UNREACHABLE', `no answer from ${this.#base}: ${causeOf(error)}`, context);
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  async #send<T>(request: Request, options: CallOptions, extraWaitMs = 0): Promise<T> {
    const deadline = new Deadline((options.timeoutMs ?? this.#timeoutMs) + extraWaitMs, options.signal);
    try {
      return await this.#retrying(request, deadline, async () => {
        const response = await this.#open(request, deadline.signal);
        return parseAnswer<T>(await response.text(), response.status, request.name);
      });
    } finally {
      deadline.stop();
    }
  }

  async #retrying<T>(request: Request, deadline: Deadline, attemptOnce: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await attemptOnce();
      } catch (error) {
        const failure = this.explain(error, request.name, deadline);
        if (!isLedgerError(failure) || deadline.expired) throw failure;
        await this.retry.pause(failure, attempt, request.name, deadline);
      }
    }
  }

  async #open(request: Request, signal: AbortSignal): Promise<Response> {
    const response = await this.#fetch(request.url, this.#init(request, signal));
    if (response.status >= 300) throw await errorOfResponse(response, request.name);
    return response;
  }

  /** Redirects are not followed: they would turn a POST into a GET, and may lead the API key astray. */
  #init({ method, headers, body }: Request, signal: AbortSignal): RequestInit {
    const init: RequestInit = { method, headers, signal, redirect: 'manual' };
    if (body === undefined) return init;
    return typeof body === 'string' ? { ...init, body } : { ...init, body, duplex: 'half' };
  }

  #request({ method, path, query = {}, body, options = {} }: Call): Request {
    const { apiKey } = this.#options;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (apiKey !== undefined) headers['authorization'] = `Bearer ${apiKey}`;
    setHeader(headers, 'correlationId', 'x-correlation-id', options.correlationId ?? this.#options.correlationId);
    setHeader(headers, 'onBehalfOf', 'x-on-behalf-of', options.onBehalfOf ?? this.#options.onBehalfOf);
    const request: Request = { name: `${method} ${path}`, url: `${this.#base}${path}${queryText(query)}`, method, headers };
    if (body === undefined) return request;
    headers['content-type'] = 'application/json';
    return { ...request, body: JSON.stringify(body) };
  }
}

/** `fetch` says "fetch failed" and hides the reason in its cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && cause.message === '' ? String(cause.code) : cause.message;
}

function parseAnswer<T>(text: string, status: number, request: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new LedgerError(
      { status, detail: 'the answer is not JSON', code: 'UNEXPECTED_ANSWER', retryable: false },
      { request, cause },
    );
  }
}

function bodyOf(response: Response, request: string, type = NDJSON): ReadableStream<Uint8Array> {
  if (response.headers.get('content-type')?.startsWith(type) && response.body !== null) return response.body;
  const detail = `the answer is not ${type}`;
  throw new LedgerError({ status: response.status, detail, code: 'UNEXPECTED_ANSWER', retryable: false }, { request });
}

function baseOf(url: string | URL): string {
  if (!URL.canParse(String(url))) throw new TypeError('url: not a URL, such as http://127.0.0.1:3000');
  const parsed = new URL(url);
  if (!['http:', 'https:'].includes(parsed.protocol)) throw new TypeError('url: only http and https');
  // Not shown: the message would carry the password.
  if (parsed.username !== '' || parsed.password !== '') throw new TypeError('url: no credentials in it, use apiKey');
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}`;
}

function setHeader(headers: Record<string, string>, option: string, name: string, value: string | undefined): void {
  if (value === undefined) return;
  assertHeader(option, value);
  headers[name] = value;
}

/** `fetch` would refuse it too, but with the value in its message. */
function assertHeader(option: string, value: string): void {
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)) throw new TypeError(`${option}: only printable ASCII`);
}

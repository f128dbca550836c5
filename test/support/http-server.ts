/** A server over the stores of the suite, by default one in memory, for tests that speak HTTP to it without a socket. */
import type { InjectOptions, Response } from 'light-my-request';
import { createLogger, createServer, type LedgerServer, type ServerOptions } from '#server';
import type { OpenedLedger } from '#runtime';
import { OPENED_LEDGER } from '#nest';
import { storesOfSuite, type SuiteStores } from './suite-stores.js';

export const BACKEND = 'shop';
export const MODEL = 'shop.product';
export const LEDGER_PATH = `/v1/backends/${BACKEND}/models/${MODEL}`;
export const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');

export type Json = Record<string, unknown>;

export interface Answer<T = Json> {
  status: number;
  headers: Response['headers'];
  body: T;
  text: string;
}

export interface Call {
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Sent as it is. */
  payload?: string | Buffer;
}

export class TestServer {
  /** Everything that was logged, at every level. */
  logged = '';

  private constructor(
    readonly server: LedgerServer,
    private readonly suite: SuiteStores | undefined,
  ) {}

  /** On the stores of the suite, unless they are given. */
  static async start(options: Partial<ServerOptions> = {}): Promise<TestServer> {
    const lines: string[] = [];
    const logger = createLogger('trace', { write: (line) => lines.push(line) });
    const { ledger = { data: ':memory:', secretKey: SECRET_KEY }, ...others } = options;
    const suite = ledger.stores === undefined ? await storesOfSuite() : undefined;
    const server = await createServer({ ledger: { ...ledger, ...suite?.config }, logger, ...others });
    const test = new TestServer(server, suite);
    Object.defineProperty(test, 'logged', { get: () => lines.join('') });
    return test;
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.suite?.release();
  }

  get<T = Json>(path: string, call: Call = {}): Promise<Answer<T>> {
    return this.send<T>('GET', path, undefined, call);
  }
  post<T = Json>(path: string, body?: unknown, call: Call = {}): Promise<Answer<T>> {
    return this.send<T>('POST', path, body, call);
  }
  put<T = Json>(path: string, body?: unknown, call: Call = {}): Promise<Answer<T>> {
    return this.send<T>('PUT', path, body, call);
  }
  patch<T = Json>(path: string, body?: unknown, call: Call = {}): Promise<Answer<T>> {
    return this.send<T>('PATCH', path, body, call);
  }
  delete<T = Json>(path: string, call: Call = {}): Promise<Answer<T>> {
    return this.send<T>('DELETE', path, undefined, call);
  }

  async send<T = Json>(
    method: string,
    path: string,
    body: unknown,
    { query = {}, headers = {}, payload }: Call = {},
  ): Promise<Answer<T>> {
    const request: InjectOptions = { method: method as 'GET', url: path, query, headers: { ...headers } };
    if (payload !== undefined) request.payload = payload;
    else if (body !== undefined) {
      request.payload = JSON.stringify(body);
      request.headers = { 'content-type': 'application/json', ...headers };
    }
    const { statusCode, headers: answered, payload: text } = await this.server.app.inject(request);
    if (this.suite !== undefined && method !== 'GET') await this.projected(String(answered['ledger-revision'] ?? ''));
    const json = String(answered['content-type']).includes('json') && !String(answered['content-type']).includes('ndjson');
    return { status: statusCode, headers: answered, text, body: (json ? JSON.parse(text) : text) as T };
  }

  /**
   * Stores that answer over a network are read a moment after they were written: what these tests say of an answer holds once the
   * write is projected, which in memory it is in the same turn. What is told before that has tests of its own.
   */
  private async projected(revisions: string): Promise<void> {
    const { queries } = this.server.app.get<OpenedLedger>(OPENED_LEDGER);
    for (const [, backend = '', model = '', revision] of revisions.matchAll(/([^/,]+)\/([^@]+)@(\d+)/g))
      await queries.await({ backend, model }, { atLeast: Number(revision), timeoutMs: 10_000 });
  }

  /** Sends lines as one body; the results of the lines. */
  async commands(lines: readonly unknown[], query: Record<string, string> = {}): Promise<Json[]> {
    const payload = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    const { text } = await this.send('POST', `${LEDGER_PATH}/commands`, undefined, {
      query,
      payload,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    return linesIn(text);
  }

  /** A backend with one model whose data has an indexed field. */
  async prepare(model: Json = {}): Promise<void> {
    expectOk(await this.put('/v1/backend-types/shop', { label: 'Shop', versions: [{ value: '1', label: 'One' }] }));
    expectOk(await this.put(`/v1/models/${MODEL}`, { backendType: 'shop', localModel: 'product', indexes: ['group'], ...model }));
    expectOk(await this.post('/v1/backends', { id: BACKEND, type: 'shop', location: 'https://shop.example.org' }));
  }

  async headRevision(): Promise<number> {
    return (await this.get<{ headRevision: number }>(LEDGER_PATH)).body.headRevision;
  }
}

export function linesIn(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Json);
}

function expectOk({ status, text }: Answer<unknown>): void {
  if (status >= 300) throw new Error(`${status} ${text}`);
}

/** Options of the client and of its calls. */
import type { RetryOptions } from './retry.js';

export interface ClientOptions {
  /** Where the ledger answers, such as `https://ledger.example.org` or with a path before `/v1`. No credentials in it. */
  url: string | URL;
  /** Sent as `Authorization: Bearer …`. */
  apiKey?: string | undefined;
  /** Used in place of the global `fetch`. It must stream request bodies (`duplex: 'half'`) for `commands`. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Retries of what is retryable; `false`: none. */
  retry?: RetryOptions | false | undefined;
  /** Default for the time that a call may take in all, retries and waits between them included, in milliseconds; default 30,000. */
  timeoutMs?: number | undefined;
  /** Default for whom the calls are made, recorded in events. Printable ASCII. */
  onBehalfOf?: string | undefined;
  /** Default correlation id, recorded in events. Printable ASCII. */
  correlationId?: string | undefined;
}

export interface CallOptions {
  /** Ends the call, which then throws the signal's reason. A write may have been done nevertheless. */
  signal?: AbortSignal | undefined;
  /** In milliseconds, in place of the client's. Streams have no deadline after their first byte, unless this is given for `commands`. */
  timeoutMs?: number | undefined;
  onBehalfOf?: string | undefined;
  correlationId?: string | undefined;
}

export interface ReadOptions extends CallOptions {
  /**
   * See at least this revision of the ledger, or its head as of the request. Across ledgers a list such as
   * `magento/magento.res.partner@17,shop/shop.country@4`. If it is not reached in time: `NOT_YET_PROJECTED`.
   */
  atLeast?: number | 'head' | (string & {}) | undefined;
  /** How long the server waits for `atLeast`, in milliseconds; its default is 2,000. */
  atLeastTimeoutMs?: number | undefined;
}

export interface WriteOptions extends CallOptions {
  /** Default: a new random one. All tries of the call are sent with the same key. */
  idempotencyKey?: string | undefined;
  /** The version that the binding must have, sent as `If-Match`; else `VERSION_MISMATCH`. */
  expectedVersion?: number | undefined;
  /** The id of the binding that is meant, where it is named by record or external id; else `VERSION_MISMATCH`. */
  ifBinding?: string | undefined;
  /** Recorded in the events. */
  reason?: string | undefined;
}

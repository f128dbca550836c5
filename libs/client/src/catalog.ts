/** Backend types, models and backends. */
import { historyListing } from './events.js';
import type { Listing } from './listing.js';
import type { CallOptions, ReadOptions, WriteOptions } from './options.js';
import type { Transport } from './transport.js';
import { idForBody, path, type Id } from './values.js';
import type {
  Backend,
  BackendChange,
  BackendEvent,
  BackendLookupAnswer,
  BackendLookupRequest,
  BackendRequest,
  BackendType,
  BackendTypeRequest,
  Credentials,
  Model,
  ModelRequest,
} from './wire-catalog.js';

/** Kinds of external systems, such as `magento`. */
export class BackendTypes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Creates or changes a type; versions are added to those there are. Errors: `VERSION_IN_USE`, `INVALID_SCHEMA`. */
  async put(type: string, request: BackendTypeRequest, options: WriteOptions = {}): Promise<BackendType> {
    return this.#transport.write({ method: 'PUT', path: path`/v1/backend-types/${type}`, body: request, options });
  }

  /** Errors: `BACKEND_TYPE_NOT_FOUND`. */
  async get(type: string, options: CallOptions = {}): Promise<BackendType> {
    return this.#transport.read({ method: 'GET', path: path`/v1/backend-types/${type}`, options });
  }

  async list(options: CallOptions = {}): Promise<BackendType[]> {
    return itemsOf(this.#transport, '/v1/backend-types', options);
  }
}

/** Binding models, such as `magento.res.partner`. */
export class Models {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Creates or changes a model. Errors: `BACKEND_TYPE_NOT_FOUND`, `INVALID_SCHEMA`, `MODEL_CHANGE_VIOLATED` with examples. */
  async put(model: string, request: ModelRequest, options: WriteOptions = {}): Promise<Model> {
    return this.#transport.write({ method: 'PUT', path: path`/v1/models/${model}`, body: request, options });
  }

  /** Errors: `MODEL_NOT_FOUND`. */
  async get(model: string, options: CallOptions = {}): Promise<Model> {
    return this.#transport.read({ method: 'GET', path: path`/v1/models/${model}`, options });
  }

  async list(options: CallOptions = {}): Promise<Model[]> {
    return itemsOf(this.#transport, '/v1/models', options);
  }
}

/** Instances of external systems. Errors of all calls that name one: `BACKEND_NOT_FOUND`. */
export class Backends {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Errors: `BACKEND_EXISTS`, `BACKEND_TYPE_NOT_FOUND`, `UNKNOWN_VERSION`, `INVALID_SETTINGS`, `INVALID_LOCATION`. */
  async register(request: BackendRequest, options: WriteOptions = {}): Promise<Backend> {
    return this.#transport.write({ method: 'POST', path: '/v1/backends', body: request, options });
  }

  async get(id: string, options: CallOptions = {}): Promise<Backend> {
    return this.#transport.read({ method: 'GET', path: path`/v1/backends/${id}`, options });
  }

  async list(options: CallOptions = {}): Promise<Backend[]> {
    return itemsOf(this.#transport, '/v1/backends', options);
  }

  /** Who changed what of it, and who read its credentials. */
  history(id: string, query: { limit?: number } = {}, options: CallOptions = {}): Listing<BackendEvent> {
    return historyListing(this.#transport, path`/v1/backends/${id}/history`, query.limit, options);
  }

  /** Errors as of `register`. */
  async change(id: string, change: BackendChange, options: WriteOptions = {}): Promise<Backend> {
    return this.#transport.write({ method: 'PATCH', path: path`/v1/backends/${id}`, body: change, options });
  }

  /** Username, password and secret settings; needs its own permission, and the access is recorded. */
  async credentials(id: string, options: CallOptions = {}): Promise<Credentials> {
    return this.#transport.read({ method: 'GET', path: path`/v1/backends/${id}/credentials`, options });
  }

  /** Writes to its ledgers are refused `BACKEND_PAUSED` (retryable) until `resume`; reads go on. */
  async pause(id: string, options: WriteOptions = {}): Promise<Backend> {
    return this.#transport.write({ method: 'POST', path: path`/v1/backends/${id}/pause`, options });
  }

  async resume(id: string, options: WriteOptions = {}): Promise<Backend> {
    return this.#transport.write({ method: 'POST', path: path`/v1/backends/${id}/resume`, options });
  }

  /** Retires it for good; its id is never used again. Errors: `BACKEND_IN_USE` with counts, while bindings live. */
  async retire(id: string, options: WriteOptions = {}): Promise<Backend> {
    return this.#transport.write({ method: 'DELETE', path: path`/v1/backends/${id}`, options });
  }

  /** Looks up ids of several models of the backend, at most 1,000 in all. */
  async lookup(id: string, request: BackendLookupRequest, options: ReadOptions = {}): Promise<BackendLookupAnswer> {
    const body = Object.fromEntries(Object.entries(request).map(([model, ids]) => [model, lookupBody(ids)]));
    return this.#transport.read({ method: 'POST', path: path`/v1/backends/${id}/lookup`, body, options });
  }
}

/** Ids of a lookup as the wire has them. */
export function lookupBody(ids: { externalIds?: Id[]; recordIds?: Id[] }): object {
  return { externalIds: ids.externalIds?.map(idForBody), recordIds: ids.recordIds?.map(idForBody) };
}

async function itemsOf<T>(transport: Transport, pathOfList: string, options: CallOptions): Promise<T[]> {
  const { items } = await transport.read<{ items: T[] }>({ method: 'GET', path: pathOfList, options });
  return items;
}

/** One ledger: all bindings of one model on one backend. */
import { rebuildLedger, type RebuildOptions } from './rebuild.js';
import { exportLedger, verifyLedger, type VerifyOptions } from './audit.js';
import { lookupBody } from './catalog.js';
import { streamCommands, type CommandStreamOptions } from './command-stream.js';
import { eventListing, historyListing } from './events.js';
import { Listing } from './listing.js';
import type { CallOptions, ReadOptions, WriteOptions } from './options.js';
import type { Call, Transport } from './transport.js';
import { idAsText, instantAsText, path, toWire, type Id, type Instant, type JsonObject, type Query } from './values.js';
import type {
  BindAnswer,
  Binding,
  BindingFilter,
  BindingTarget,
  BindRequest,
  ChangeDataAnswer,
  Digest,
  LedgerStatus,
  LookedUpBinding,
  LookupAnswer,
  LookupRequest,
  MoveAnswer,
  MoveRequest,
  Page,
  SyncAnswer,
  SyncRequest,
  UnbindAnswer,
  UnbindRequest,
} from './wire-bindings.js';
import type { ExportLine, Verification, VerifyRequest } from './wire-audit.js';
import type { Differences, Rebuilt } from './wire-rebuild.js';
import type { Model } from './wire-catalog.js';
import type { Command, CommandResult } from './wire-commands.js';
import type { EventsQuery, HistoryEvent, LedgerEvent } from './wire-events.js';

/** A lookup at present, or as the ledger was at an instant or at `revision:<n>`. */
export interface LookupOptions extends ReadOptions {
  asOf?: Instant;
}

/**
 * Errors that any call may throw: `BACKEND_NOT_FOUND`, `MODEL_NOT_FOUND`, `MODEL_BACKEND_MISMATCH`, `UNAUTHENTICATED`,
 * `FORBIDDEN`, and the client's own. Writes also: `BACKEND_PAUSED`, `LEDGER_CLOSED`, `VERSION_MISMATCH`,
 * `IDEMPOTENCY_KEY_REUSED`, `BUSY`, `OUTCOME_UNKNOWN`.
 */
export class Ledger {
  readonly #transport: Transport;
  readonly #path: string;

  constructor(
    transport: Transport,
    readonly backend: string,
    readonly model: string,
  ) {
    this.#transport = transport;
    this.#path = path`/v1/backends/${backend}/models/${model}`;
  }

  /** Its state, counts, freshness and head. */
  async status(options: ReadOptions = {}): Promise<LedgerStatus> {
    return this.#transport.read({ method: 'GET', path: this.#path, options });
  }

  /** The definition of the ledger's model. */
  async definition(options: CallOptions = {}): Promise<Model> {
    return this.#transport.read({ method: 'GET', path: path`/v1/models/${this.model}`, options });
  }

  /**
   * Binds a record to an external id: creates the binding, gives a pending one its external id, or, when just this pair is
   * bound already, moves its sync date. Errors: `RECORD_ALREADY_BOUND` and `EXTERNAL_ID_TAKEN`, both with
   * `problem.holder`, `INVALID_ID`, `INVALID_DATA`, `INVALID_SYNC_DATE`, `TOO_MANY_BINDINGS`.
   */
  async bind(request: BindRequest, options: WriteOptions = {}): Promise<BindAnswer> {
    if (!('bindingId' in request)) return this.#write('POST', '/bindings', options, toWire(request));
    const { bindingId, ...fields } = request;
    return this.#write('POST', path`/bindings/${bindingId}/bind`, options, toWire(fields));
  }

  /** Says that a binding was synchronized. Errors: `NOT_BOUND`, `BINDING_NOT_FOUND`, `AMBIGUOUS_RECORD`, `INVALID_SYNC_DATE`. */
  async sync(target: BindingTarget, request: SyncRequest = {}, options: WriteOptions = {}): Promise<SyncAnswer> {
    return this.#write('POST', `${pathOf(target)}/sync`, options, toWire(request));
  }

  /** Merges a JSON merge patch (RFC 7396) into the binding's data. Errors: `BINDING_NOT_FOUND`, `INVALID_DATA`. */
  async changeData(bindingId: Id, data: JsonObject, options: WriteOptions = {}): Promise<ChangeDataAnswer> {
    return this.#write('PATCH', path`/bindings/${bindingId}`, options, { data });
  }

  /** Ends a binding. What is not bound answers `unchanged`. Errors: `AMBIGUOUS_RECORD`. */
  async unbind(target: BindingTarget, request: UnbindRequest = {}, options: WriteOptions = {}): Promise<UnbindAnswer> {
    return this.#write('DELETE', pathOf(target), options, undefined, { cause: request.cause });
  }

  /** Moves bindings to another record: all of a record, or one by its id. Errors: `RECORD_ALREADY_BOUND`, `BINDING_NOT_FOUND`. */
  async move(request: MoveRequest, options: WriteOptions = {}): Promise<MoveAnswer> {
    if (!('bindingId' in request)) return this.#write('POST', '/move', options, toWire(request));
    const { bindingId, ...fields } = request;
    return this.#write('POST', path`/bindings/${bindingId}/move`, options, toWire(fields));
  }

  /** The live binding that holds the external id. Errors: `NOT_BOUND`. */
  async toInternal(externalId: Id, options: LookupOptions = {}): Promise<LookedUpBinding> {
    return this.#lookUp(path`/external/${externalId}`, options);
  }

  /** The live binding of a record, also a pending one. Errors: `NOT_BOUND`, `AMBIGUOUS_RECORD` with `problem.candidates`. */
  async toExternal(recordId: Id, options: LookupOptions = {}): Promise<LookedUpBinding> {
    return this.#lookUp(path`/records/${recordId}`, options);
  }

  /** A binding by its id, in any state. Errors: `BINDING_NOT_FOUND`. */
  async binding(bindingId: Id, options: ReadOptions = {}): Promise<Binding> {
    return this.#transport.read({ method: 'GET', path: this.#path + path`/bindings/${bindingId}`, options });
  }

  /** Live bindings by up to 1,000 external ids or record ids. Errors: `TOO_LARGE`. */
  async lookup(request: LookupRequest, options: ReadOptions = {}): Promise<LookupAnswer> {
    return this.#transport.read({ method: 'POST', path: `${this.#path}/lookup`, body: lookupBody(request), options });
  }

  /**
   * Bindings by filters; by default the live ones, by id. As of the past there is no other filter but `state`, and no pages: a
   * loop reads one stream. Errors: `FIELD_NOT_INDEXED`, `BUSY` when another ledger of the past is being read.
   */
  bindings(filter: BindingFilter = {}, options: ReadOptions = {}): Listing<Binding> {
    const call: Call = { method: 'GET', path: `${this.#path}/bindings`, options };
    const query = queryOf(filter);
    const asOf = textOf(filter.asOf);
    return new Listing<Binding>({
      page: (cursor) => this.#transport.read<Page<Binding>>({ ...call, query: { ...query, asOf, limit: filter.limit, cursor } }),
      stream: () => this.#transport.lines<Binding>({ ...call, query: { ...query, asOf } }),
      streamOnly: asOf !== undefined,
    });
  }

  /**
   * Any number of commands as one stream, answered while they are sent: results come in the order of the commands, and
   * a refused one (`result.error`) does not concern the others. See `CommandStreamOptions` for keys, progress and cuts.
   */
  commands<C extends Command>(
    commands: Iterable<C> | AsyncIterable<C>,
    options: CommandStreamOptions = {},
  ): AsyncGenerator<CommandResult<C>> {
    return streamCommands(this.#transport, `${this.#path}/commands`, commands, options);
  }

  /** Events of the ledger, oldest first. */
  events(query: EventsQuery = {}, options: ReadOptions = {}): Listing<LedgerEvent> {
    return eventListing(this.#transport, `${this.#path}/events`, query, options);
  }

  /** Every event of a binding, a record or an external id in this ledger, also of former bindings. */
  history(target: BindingTarget, query: { limit?: number } = {}, options: ReadOptions = {}): Listing<HistoryEvent> {
    return historyListing(this.#transport, `${this.#path}${pathOf(target)}/history`, query.limit, options);
  }

  /** Recomputes the ledger from its events; `ok` says whether all is well. One at a time: `BUSY` while another one is verified. */
  async verify(request: VerifyRequest = {}, options: VerifyOptions = {}): Promise<Verification> {
    return verifyLedger(this.#transport, this.#path, request, options);
  }

  /**
   * Makes the answers of the ledger anew from its events, while the old ones go on answering. One at a time: `BUSY` while another one
   * is rebuilt. What is broken off is gone on with when it is called again.
   */
  async rebuild(options: RebuildOptions = {}): Promise<Rebuilt> {
    return rebuildLedger<Rebuilt>(this.#transport, this.#path, false, options);
  }

  /** What a rebuild would change: where the answers differ from the events. */
  async differences(options: RebuildOptions = {}): Promise<Differences> {
    return rebuildLedger<Differences>(this.#transport, this.#path, true, options);
  }

  /** The whole ledger as it is stored, up to its newest event. What ends before its digest throws `STREAM_CUT`. */
  export(options: CallOptions = {}): AsyncGenerator<ExportLine> {
    return exportLedger(this.#transport, this.#path, options);
  }

  async digest(options: ReadOptions = {}): Promise<Digest> {
    return this.#transport.read({ method: 'GET', path: `${this.#path}/digest`, options });
  }

  /** A revision of this ledger as reads across ledgers take it in `atLeast`: `<backend>/<model>@<revision>`. */
  at(revision: number): string {
    return `${this.backend}/${this.model}@${revision}`;
  }

  async #lookUp(suffix: string, { asOf, ...options }: LookupOptions): Promise<LookedUpBinding> {
    return this.#transport.read({ method: 'GET', path: this.#path + suffix, query: { asOf: textOf(asOf) }, options });
  }

  async #write<T>(
    method: Call['method'],
    suffix: string,
    options: WriteOptions & CallOptions,
    body?: object,
    query: Query = {},
  ): Promise<T> {
    return this.#transport.write<T>({ method, path: this.#path + suffix, body, query, options });
  }
}

function pathOf(target: BindingTarget): string {
  if ('bindingId' in target) return path`/bindings/${target.bindingId}`;
  return 'recordId' in target ? path`/records/${target.recordId}` : path`/external/${target.externalId}`;
}

function queryOf(filter: BindingFilter): Query {
  const data = Object.entries(filter.data ?? {}).map(([field, value]) => [`data.${field}`, value] as const);
  return {
    recordId: filter.recordId === undefined ? undefined : idAsText(filter.recordId),
    externalId: filter.externalId === undefined ? undefined : idAsText(filter.externalId),
    state: filter.state,
    syncedBefore: textOf(filter.syncedBefore),
    syncedAfter: textOf(filter.syncedAfter),
    createdBefore: textOf(filter.createdBefore),
    ...Object.fromEntries(data),
  };
}

function textOf(instant: Instant | undefined): string | undefined {
  return instant === undefined ? undefined : instantAsText(instant);
}

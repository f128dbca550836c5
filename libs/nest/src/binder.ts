/** The vocabulary of Odoo Connector's binder, in process; the twin of the HTTP client's `Binder`. */
import { isRefusal, type LedgerName, type Refusal } from '#domain';
import type { Freshness, LookupResult } from '#ledger';
import type { LocatedBinding } from '#read-model';
import { withBinding, type BindingAnswer } from './answers.js';
import type { CommandOfStream, CommandSource } from './command-stream.js';
import type { BindInput, CommandContext, Id, LookupInput } from './inputs.js';
import { LedgerError, orThrow } from './ledger-error.js';
import type { LedgerService } from './ledger.service.js';

/** See at least this revision of the ledger, or all that was written before (`head`); else `NOT_YET_PROJECTED`. */
export interface BinderReadOptions {
  atLeast?: number | 'head' | undefined;
  /** How long to wait for it; default 2,000. */
  atLeastTimeoutMs?: number | undefined;
}

/** What `bind` takes beside the two ids: see `BindCommand`. Named as the HTTP client's options are. */
export type BinderBindOptions = Omit<BindInput, 'recordId' | 'bindingId' | 'externalId' | 'key'> &
  CommandContext & { idempotencyKey?: string };

/**
 * For the records of one ledger: finds an external or internal id, and makes the link between them. After a `bind` the
 * same binder's lookups see it: they ask for at least its revision. Refusals are thrown as `LedgerError`.
 *
 * Where it differs from Odoo Connector's `base.binder`:
 * - A binding is a value of the ledger, and a record is named by its id: there are no recordsets.
 * - `bind` names the local *record*, whose binding is created when there is none; Odoo's names the binding, which must
 *   exist. A binding (a pending one, say) in the record's place means just that binding.
 * - `bind` refuses to change an external id silently, and to bind one twice; Odoo's writes whatever it is given.
 * - `toInternal`, and `toExternal` with `wrap`, find live bindings only; Odoo's find inactive ones too.
 * - What is not bound is `undefined`, in place of an empty recordset or `None`.
 * - Nothing needs `connector_no_export`: a listener knows its own changes by the event's `direction`.
 */
export class Binder {
  readonly #service: LedgerService;
  #localModel: string | undefined;
  /** The newest revision that a command was answered with. */
  #written: number | undefined;

  constructor(
    service: LedgerService,
    readonly ledger: LedgerName,
  ) {
    this.#service = service;
  }

  /** The binding of an external id, or, with `unwrap`, the id of its local record; `undefined` when it is not bound. */
  toInternal(externalId: Id, options: BinderReadOptions & { unwrap: true }): Promise<string | undefined>;
  toInternal(externalId: Id, options?: BinderReadOptions & { unwrap?: false }): Promise<LocatedBinding | undefined>;
  async toInternal(
    externalId: Id,
    options: BinderReadOptions & { unwrap?: boolean } = {},
  ): Promise<LocatedBinding | string | undefined> {
    const binding = unlessAbsent(await this.#service.toInternal(this.ledger, externalId, this.#fresh(options)));
    return options.unwrap === true ? binding?.recordId : binding;
  }

  /**
   * The external id of a binding, given or named by its id; with `wrap`, the id is the local record's, whose binding is
   * looked up. `undefined` when there is no such live binding, or it is pending. A given binding is taken at its word.
   * @throws {LedgerError} `AMBIGUOUS_RECORD`, with `wrap`, for a record that has several.
   */
  toExternal(recordId: Id, options: BinderReadOptions & { wrap: true }): Promise<string | undefined>;
  toExternal(binding: string | LocatedBinding, options?: BinderReadOptions & { wrap?: false }): Promise<string | undefined>;
  async toExternal(
    named: Id | LocatedBinding,
    options: BinderReadOptions & { wrap?: boolean } = {},
  ): Promise<string | undefined> {
    const binding = typeof named === 'object' ? named : await this.#find(named, options);
    return binding?.state === 'bound' ? (binding.externalId ?? undefined) : undefined;
  }

  /**
   * Links an external id and a record, and sets the sync date: now, unless given. When just this pair is bound already,
   * that is all it does. @throws {LedgerError} `RECORD_ALREADY_BOUND` and `EXTERNAL_ID_TAKEN`, unless `ifBound` and `ifTaken` say
   * otherwise, both with `problem.holder`; `INVALID_ID`, `INVALID_DATA`, `BACKEND_PAUSED`, `LEDGER_CLOSED`, `BUSY` and their like.
   */
  async bind(externalId: Id, record: Id | LocatedBinding, options: BinderBindOptions = {}): Promise<BindingAnswer> {
    const { actor, onBehalfOf, correlationId, causationId, idempotencyKey: key, ...rest } = options;
    const named = typeof record === 'object' ? { bindingId: record.id } : { recordId: record };
    const context = { actor, onBehalfOf, correlationId, causationId };
    const result = await this.#service.execute(this.ledger, { ...rest, ...named, key, externalId, op: 'bind' }, context);
    const answer = orThrow(withBinding(result));
    this.#saw(answer.revision);
    return answer;
  }

  /**
   * Commands by the thousand, such as `{ op: 'bind', recordId, externalId }`, from a list or as they come: `{ command, result }` for each, in
   * their order. A refusal is a result here, and concerns its own command only.
   */
  async *commands(source: CommandSource, context: CommandContext = {}): AsyncGenerator<CommandOfStream, void, undefined> {
    for await (const done of this.#service.commands(this.ledger, source, context)) {
      if (!isRefusal(done.result)) this.#saw(done.result.revision);
      yield done;
    }
  }

  /** Live bindings by up to 1,000 external ids or record ids: `found` by the id that was asked for, and what is `missing`. */
  async lookup(ids: LookupInput, options: BinderReadOptions = {}): Promise<LookupResult> {
    return orThrow(await this.#service.lookup(this.ledger, ids, this.#fresh(options)));
  }

  /** The id of the local record of a binding, given or named by its id; also of a former one. @throws {LedgerError} `BINDING_NOT_FOUND` */
  async unwrapBinding(binding: string | LocatedBinding, options: BinderReadOptions = {}): Promise<string> {
    if (typeof binding === 'object') return binding.recordId;
    return orThrow(await this.#service.binding(this.ledger, binding, this.#fresh(options))).recordId;
  }

  /** The local model of the ledger's binding model, such as `res.partner`; asked for once. @throws {LedgerError} `NO_LOCAL_MODEL` */
  async unwrapModel(): Promise<string> {
    this.#localModel ??= orThrow(await this.#service.model(this.ledger.model)).localModel ?? undefined;
    if (this.#localModel !== undefined) return this.#localModel;
    throw new LedgerError({ code: 'NO_LOCAL_MODEL', detail: `${this.ledger.model} binds no local model` });
  }

  #saw(revision: number): void {
    this.#written = Math.max(this.#written ?? revision, revision);
  }

  async #find(id: Id, options: BinderReadOptions & { wrap?: boolean }): Promise<LocatedBinding | undefined> {
    const fresh = this.#fresh(options);
    if (options.wrap === true) return unlessAbsent(await this.#service.toExternal(this.ledger, id, fresh));
    return unlessAbsent(await this.#service.binding(this.ledger, String(id), fresh));
  }

  #fresh({ atLeast = this.#written, atLeastTimeoutMs: timeoutMs }: BinderReadOptions): Freshness {
    return { atLeast, timeoutMs };
  }
}

/** @throws {LedgerError} for a refusal that says more than that there is no such binding. */
function unlessAbsent(found: LocatedBinding | Refusal): LocatedBinding | undefined {
  if (isRefusal(found) && (found.refused === 'NOT_BOUND' || found.refused === 'BINDING_NOT_FOUND')) return undefined;
  return orThrow(found);
}

/** Binders of one model, where the backend is known only when a job runs. */
export class Binders {
  readonly #service: LedgerService;

  constructor(
    service: LedgerService,
    readonly model: string,
  ) {
    this.#service = service;
  }

  /** A new binder of the backend's ledger. */
  on(backend: string): Binder {
    return new Binder(this.#service, { backend, model: this.model });
  }
}

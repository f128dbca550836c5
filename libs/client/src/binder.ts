/** The vocabulary of Odoo Connector's binder, over a ledger. */
import { isLedgerError, LedgerError } from './errors.js';
import type { Ledger } from './ledger.js';
import type { CallOptions, ReadOptions, WriteOptions } from './options.js';
import type { Id } from './values.js';
import type { BindAnswer, Binding, BindRequest } from './wire-bindings.js';

/** What `bind` takes beside the two ids: see `BindRequest`, and the options of a write. */
export type BinderBindOptions = Omit<Extract<BindRequest, { recordId: Id }>, 'recordId' | 'externalId'> & WriteOptions;

/**
 * For the records of one ledger: finds an external or internal id, and makes the link between them. After a `bind` the
 * same binder's lookups see it: they ask for at least its revision.
 *
 * Where it differs from Odoo Connector's `base.binder`:
 * - A binding is a value of the ledger, and a record is named by its id: there are no recordsets.
 * - `bind` names the local *record*, whose binding is created when there is none; Odoo's names the binding, which must
 *   exist. A `Binding` (a pending one, say) in the record's place means just that binding.
 * - `bind` refuses to change an external id silently, and to bind one twice; Odoo's writes whatever it is given.
 * - `toInternal`, and `toExternal` with `wrap`, find live bindings only; Odoo's find inactive ones too.
 * - What is not bound is `undefined`, in place of an empty recordset or `None`.
 * - Nothing needs `connector_no_export`: a listener knows its own changes by the event's `direction`.
 */
export class Binder {
  readonly #ledger: Ledger;
  #localModel: string | undefined;
  /** The newest revision that `bind` answered with. */
  #written: number | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The binding of an external id, or, with `unwrap`, the id of its local record; `undefined` when it is not bound. */
  toInternal(externalId: Id, options: ReadOptions & { unwrap: true }): Promise<string | undefined>;
  toInternal(externalId: Id, options?: ReadOptions & { unwrap?: false }): Promise<Binding | undefined>;
  async toInternal(externalId: Id, options: ReadOptions & { unwrap?: boolean } = {}): Promise<Binding | string | undefined> {
    const { unwrap = false, ...readOptions } = options;
    const binding = await unlessAbsent(this.#ledger.toInternal(externalId, this.#fresh(readOptions)));
    return unwrap ? binding?.recordId : binding;
  }

  /**
   * The external id of a binding, given or named by its id; with `wrap`, the id is the local record's, whose binding is
   * looked up. `undefined` when there is no such live binding, or it is pending. A given `Binding` is taken at its word.
   * Errors: `AMBIGUOUS_RECORD`, with `wrap`, for a record that has several.
   */
  toExternal(recordId: Id, options: ReadOptions & { wrap: true }): Promise<string | undefined>;
  toExternal(binding: Id | Binding, options?: ReadOptions & { wrap?: false }): Promise<string | undefined>;
  async toExternal(named: Id | Binding, options: ReadOptions & { wrap?: boolean } = {}): Promise<string | undefined> {
    const { wrap = false, ...readOptions } = options;
    const binding = typeof named === 'object' ? named : await this.#find(named, wrap, readOptions);
    return binding?.state === 'bound' ? (binding.externalId ?? undefined) : undefined;
  }

  /**
   * Links an external id and a record, and sets the sync date: now, unless given. When just this pair is bound already,
   * that is all it does. Errors: `RECORD_ALREADY_BOUND` and `EXTERNAL_ID_TAKEN`, unless `ifBound` and `ifTaken` say otherwise,
   * and the others of `Ledger.bind`.
   */
  async bind(externalId: Id, record: Id | Binding, options: BinderBindOptions = {}): Promise<BindAnswer> {
    const { syncDate, data, direction, ifBound, ifTaken, ...writeOptions } = options;
    const named = typeof record === 'object' ? { bindingId: record.id } : { recordId: record };
    const answer = await this.#ledger.bind({ ...named, externalId, syncDate, data, direction, ifBound, ifTaken }, writeOptions);
    this.#written = Math.max(this.#written ?? answer.revision, answer.revision);
    return answer;
  }

  /** The id of the local record of a binding, given or named by its id; also of a former one. Errors: `BINDING_NOT_FOUND`. */
  async unwrapBinding(binding: Id | Binding, options: ReadOptions = {}): Promise<string> {
    if (typeof binding === 'object') return binding.recordId;
    return (await this.#ledger.binding(binding, this.#fresh(options))).recordId;
  }

  /** The local model of the ledger's binding model, such as `res.partner`; asked for once. Errors: `NO_LOCAL_MODEL`. */
  async unwrapModel(options: CallOptions = {}): Promise<string> {
    this.#localModel ??= (await this.#ledger.definition(options)).localModel ?? undefined;
    if (this.#localModel === undefined) throw LedgerError.local('NO_LOCAL_MODEL', `${this.#ledger.model} binds no local model`);
    return this.#localModel;
  }

  #find(id: Id, wrap: boolean, options: ReadOptions): Promise<Binding | undefined> {
    const fresh = this.#fresh(options);
    return unlessAbsent(wrap ? this.#ledger.toExternal(id, fresh) : this.#ledger.binding(id, fresh));
  }

  #fresh(options: ReadOptions): ReadOptions {
    return { ...options, atLeast: options.atLeast ?? this.#written };
  }
}

async function unlessAbsent(lookup: Promise<Binding>): Promise<Binding | undefined> {
  try {
    return await lookup;
  } catch (error) {
    if (isLedgerError(error, 'NOT_BOUND') || isLedgerError(error, 'BINDING_NOT_FOUND')) return undefined;
    throw error;
  }
}

import { Inject, Injectable } from '@nestjs/common';
import {
  isRefusal,
  refuse,
  type Command,
  type DefineBackendType,
  type DefineBindingModel,
  type LedgerName,
  type Refusal,
  type RegisterBackend,
  type RequestContext,
} from '#domain';
import type { DigestPage, VerifyOptions, VerifyReport } from '#audit';
import { EventStoreError } from '#event-store';
import { VaultError } from '#vault';
import {
  deleteRecord,
  idMaker,
  locateRefusal,
  refusalOfStore,
  type BackendAnswer,
  type BackendTypeAnswer,
  type BindingModelAnswer,
  type BindingModelView,
  type CommandRequest,
  type Digest,
  type Freshness,
  type LedgerStatusView,
  type LocatedAnswer,
  type LocatedResult,
  type LookupResult,
  type RecordDeletion,
} from '#ledger';
import { MAX_PAGE_BINDINGS, ReadModelError, type LocatedBinding } from '#read-model';
import type { OpenedLedger } from '#runtime';
import type { BindingsPage } from './answers.js';
import { streamCommands, type CommandOfStream, type CommandSource } from './command-stream.js';
import {
  admitBackend,
  admitBackendType,
  admitCommand,
  admitContext,
  admitFilter,
  admitFreshness,
  admitId,
  admitLedger,
  admitLookup,
  admitModel,
  admitPage,
  admitRecord,
  type CommandContext,
  type CommandInput,
  type FilterInput,
  type Id,
  type LookupInput,
  type PageInput,
  type RecordInput,
} from './inputs.js';
import { BINDING_LEDGER_OPTIONS, DEFAULT_ACTOR, OPENED_LEDGER, type BindingLedgerOptions } from './options.js';

/** At most this many commands in one atomic batch. */
export const MAX_ATOMIC_COMMANDS = 500;

/**
 * The ledger for jobs of this process: what the commands and queries of the buses, and the `Binder`, are done with. Input is
 * admitted as in the HTTP API, and everything answers values; only broken invariants throw.
 */
@Injectable()
export class LedgerService {
  private readonly actor: string;
  private readonly newId = idMaker();

  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(BINDING_LEDGER_OPTIONS) { actor = DEFAULT_ACTOR }: BindingLedgerOptions,
  ) {
    this.actor = actor;
  }

  async execute(ledger: LedgerName, input: CommandInput, context: CommandContext = {}): Promise<LocatedResult> {
    const [named, command, asked] = [admitLedger(ledger), admitCommand(input), this.admitContext(context)];
    const refusal = [named, command, asked].find(isRefusal);
    if (refusal !== undefined) return locateRefusal({ ...ledger, localModel: null }, refusal);
    return this.opened.ledger.execute(named as LedgerName, command as Command, asked as RequestContext);
  }

  /**
   * Does commands by the thousand, each for itself: `{ command, result }` in their order. Waits for its turn where `execute` would be
   * refused `BUSY`, reads its source no faster than it is done, and sends together what has come together.
   */
  commands(
    ledger: LedgerName,
    source: CommandSource,
    context: CommandContext = {},
  ): AsyncGenerator<CommandOfStream, void, undefined> {
    const asked = this.admitContext(context);
    const refusal = [admitLedger(ledger), asked].find(isRefusal);
    return streamCommands(source, async (inputs) => {
      const admitted = inputs.map((input) => refusal ?? admitCommand(input));
      const requests = admitted.flatMap((command) => (isRefusal(command) ? [] : [{ command, context: asked as RequestContext }]));
      const results = requests.length === 0 ? [] : await this.opened.ledger.executeAllInTurn(ledger, requests);
      const place = { ...ledger, localModel: null };
      let next = 0;
      return admitted.map((command) => (isRefusal(command) ? locateRefusal(place, command) : (results[next++] as LocatedResult)));
    });
  }

  async executeAtomic(
    ledger: LedgerName,
    inputs: readonly CommandInput[],
    context: CommandContext = {},
  ): Promise<LocatedAnswer[] | Refusal> {
    const [named, asked] = [admitLedger(ledger), this.admitContext(context)];
    if (isRefusal(named)) return named;
    if (isRefusal(asked)) return asked;
    const requests = admitBatch(inputs, asked);
    if (isRefusal(requests)) return requests;
    // Without a refusal all results are answers.
    return (await this.opened.ledger.executeAtomic(named, requests)) as LocatedAnswer[] | Refusal;
  }

  async deleteRecord(
    record: RecordInput & { reason?: string; key?: string },
    context: CommandContext = {},
  ): Promise<RecordDeletion | Refusal> {
    const [deleted, asked] = [admitRecord(record), this.admitContext(context)];
    if (isRefusal(deleted)) return deleted;
    return isRefusal(asked) ? asked : answerOf(() => deleteRecord(this.opened, deleted, asked));
  }

  async toInternal(ledger: LedgerName, externalId: Id, freshness: Freshness = {}): Promise<LocatedBinding | Refusal> {
    const { queries } = this.opened;
    const wanted = admitId(externalId, 'externalId');
    return isRefusal(wanted) ? wanted : ask(ledger, freshness, (named, fresh) => queries.toInternal(named, wanted.id, fresh));
  }

  async toExternal(ledger: LedgerName, recordId: Id, freshness: Freshness = {}): Promise<LocatedBinding | Refusal> {
    const { queries } = this.opened;
    const wanted = admitId(recordId, 'recordId');
    return isRefusal(wanted) ? wanted : ask(ledger, freshness, (named, fresh) => queries.toExternal(named, wanted.id, fresh));
  }

  async binding(ledger: LedgerName, bindingId: string, freshness: Freshness = {}): Promise<LocatedBinding | Refusal> {
    const { queries } = this.opened;
    const wanted = admitId(bindingId, 'bindingId');
    return isRefusal(wanted) ? wanted : ask(ledger, freshness, (named, fresh) => queries.binding(named, wanted.id, fresh));
  }

  async lookup(ledger: LedgerName, input: LookupInput, freshness: Freshness = {}): Promise<LookupResult | Refusal> {
    const ids = admitLookup(input);
    return isRefusal(ids) ? ids : ask(ledger, freshness, (named, fresh) => this.opened.queries.lookup(named, ids, fresh));
  }

  async list(
    ledger: LedgerName,
    filter: FilterInput = {},
    page: PageInput = {},
    freshness: Freshness = {},
  ): Promise<BindingsPage | Refusal> {
    const [wanted, size] = [admitFilter(filter), admitPage(page)];
    if (isRefusal(wanted)) return wanted;
    if (isRefusal(size)) return size;
    return ask(ledger, freshness, (named, fresh) => this.opened.queries.list(named, wanted, size, fresh));
  }

  async status(ledger: LedgerName, freshness: Freshness = {}): Promise<LedgerStatusView | Refusal> {
    return ask(ledger, freshness, (named, fresh) => this.opened.queries.status(named, fresh));
  }

  async digest(ledger: LedgerName): Promise<Digest | Refusal> {
    return ask(ledger, {}, (named) => this.opened.queries.digest(named));
  }

  async digests(page: PageInput = {}): Promise<DigestPage | Refusal> {
    const size = admitPage(page);
    return isRefusal(size) ? size : answerOf(() => this.opened.audit.digests(size.limit, size.cursor));
  }

  async verify(ledger: LedgerName, options: VerifyOptions = {}): Promise<VerifyReport | Refusal> {
    return ask(ledger, {}, (named) => this.opened.audit.verify(named, options));
  }

  async bindingsOfRecord(record: RecordInput, includeUnbound = false): Promise<LocatedBinding[] | Refusal> {
    const wanted = admitRecord(record);
    if (isRefusal(wanted)) return wanted;
    const { localModel, recordId } = wanted;
    const items: LocatedBinding[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await answerOf(() =>
        this.opened.queries.ofLocalRecord({ localModel, recordId, includeUnbound }, { limit: MAX_PAGE_BINDINGS, cursor }),
      );
      if (isRefusal(page)) return page;
      items.push(...page.items);
      if (page.nextCursor === null) return items;
      cursor = page.nextCursor;
    }
  }

  async model(name: string): Promise<BindingModelView | Refusal> {
    return answerOf(() => this.opened.catalog.model(name));
  }

  async defineType(type: DefineBackendType, context: CommandContext = {}): Promise<BackendTypeAnswer | Refusal> {
    const [defined, asked] = [admitBackendType(type), this.admitContext(context)];
    if (isRefusal(defined)) return defined;
    return isRefusal(asked) ? asked : answerOf(() => this.opened.catalog.defineType(defined, asked));
  }

  async defineModel(model: DefineBindingModel, context: CommandContext = {}): Promise<BindingModelAnswer | Refusal> {
    const [defined, asked] = [admitModel(model), this.admitContext(context)];
    if (isRefusal(defined)) return defined;
    return isRefusal(asked) ? asked : answerOf(() => this.opened.catalog.defineModel(defined, asked));
  }

  async registerBackend(backend: RegisterBackend, context: CommandContext = {}): Promise<BackendAnswer | Refusal> {
    const [registered, asked] = [admitBackend(backend), this.admitContext(context)];
    if (isRefusal(registered)) return registered;
    return isRefusal(asked) ? asked : answerOf(() => this.opened.backends.register(registered, asked));
  }

  private admitContext(context: CommandContext): RequestContext | Refusal {
    const admitted = admitContext(context);
    if (isRefusal(admitted)) return admitted;
    const { actor = this.actor, correlationId = this.newId(), onBehalfOf, causationId } = admitted;
    const asked: RequestContext = { actor, correlationId };
    if (onBehalfOf !== undefined) asked.onBehalfOf = onBehalfOf;
    if (causationId !== undefined) asked.causationId = causationId;
    return asked;
  }
}

function admitBatch(inputs: readonly CommandInput[], context: RequestContext): CommandRequest[] | Refusal {
  if (inputs.length > MAX_ATOMIC_COMMANDS) {
    return refuse('TOO_LARGE', `an atomic batch has at most ${MAX_ATOMIC_COMMANDS} commands`);
  }
  const commands = inputs.map(admitCommand);
  const refusals = commands.flatMap((command, index) =>
    isRefusal(command) ? [{ line: index + 1, code: command.refused, detail: command.detail }] : [],
  );
  if (refusals.length === 0) return commands.map((command) => ({ command: command as Command, context }));
  const detail = `${refusals.length} of ${commands.length} commands were refused, so none was done`;
  return refuse('BATCH_REFUSED', detail, { details: { refusals } });
}

async function ask<T extends object>(
  ledger: LedgerName,
  freshness: Freshness,
  query: (ledger: LedgerName, freshness: Freshness) => Promise<T>,
): Promise<T | Refusal> {
  const [named, fresh] = [admitLedger(ledger), admitFreshness(freshness)];
  if (isRefusal(named)) return named;
  return isRefusal(fresh) ? fresh : answerOf(() => query(named, fresh));
}

/** What the stores cannot do now is a refusal as well. */
export async function answerOf<T>(query: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await query();
  } catch (error) {
    if (error instanceof EventStoreError || error instanceof ReadModelError || error instanceof VaultError)
      return refusalOfStore(error);
    throw error;
  }
}

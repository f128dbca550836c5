/** What jobs hand in: ids as text or safe integers, instants as text or `Date`. All of it is admitted as the HTTP API admits it. */
import { z } from 'zod';
import {
  isRefusal,
  parseId,
  parseName,
  refuse,
  type Bind,
  type ChangeData,
  type Command,
  type DefineBackendType,
  type DefineBindingModel,
  type LedgerName,
  type Move,
  type Refusal,
  type RegisterBackend,
  type RequestContext,
  type Sync,
  type Unbind,
} from '#domain';
import { MAX_LOOKUP_IDS, type AsOf, type Freshness } from '#ledger';
import { MAX_PAGE_BINDINGS, type BindingFilter, type HistoryKey } from '#read-model';
import {
  backendBody,
  backendTypeBody,
  idSchema,
  instantSchema,
  keySchema,
  lookupBody,
  modelBody,
  parseCommand,
  reasonSchema,
  refusalOfIssues,
} from '#schemas';

/** A record id or external id. Safe integers become their decimal digits; `0` is a valid id. Answers hold strings only. */
export type Id = string | number;
/** A `Date`, or ISO 8601 with zone. */
export type Instant = string | Date;

type IdMember = 'recordId' | 'externalId' | 'fromRecordId' | 'toRecordId';
type InstantMember = 'syncDate' | 'syncedBefore' | 'syncedAfter' | 'createdBefore';
type Given<T> = { [K in keyof T]: K extends IdMember ? T[K] | number : K extends InstantMember ? T[K] | Date : T[K] };

export type BindInput = Given<Omit<Bind, 'op'>>;
export type SyncInput = Given<Omit<Sync, 'op'>>;
export type ChangeDataInput = Given<Omit<ChangeData, 'op'>>;
export type UnbindInput = Given<Omit<Unbind, 'op' | 'cause' | 'all'>> & { cause?: 'requested' | 'missingInBackend' };
export type MoveInput = Given<Omit<Move, 'op'>>;

/** Any command of a ledger, told by its `op`. */
export type CommandInput =
  | ({ op: 'bind' } & BindInput)
  | ({ op: 'sync' } & SyncInput)
  | ({ op: 'changeData' } & ChangeDataInput)
  | ({ op: 'unbind' } & UnbindInput)
  | ({ op: 'move' } & MoveInput);

/** At most 1,000 ids of one kind. */
export type LookupInput = { externalIds: readonly Id[] } | { recordIds: readonly Id[] };
export type FilterInput = Given<Omit<BindingFilter, 'data'>> & { data?: Record<string, string | number | boolean> };

export interface PageInput {
  /** Items a page, at most 1,000; default 100. */
  limit?: number | undefined;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** A local record, whatever ledgers it is bound in. */
export interface RecordInput {
  localModel: string;
  recordId: Id;
}

/** The moment of which something is asked for: an instant, or a revision of the ledger. */
export type AsOfInput = Instant | { revision: number };

/** Whose history it is. */
export type HistoryInput = { bindingId: string } | { recordId: Id } | { externalId: Id };

/** Who asks, and in what connection; what is left out is the module's actor, and a new correlation id. */
export type CommandContext = Partial<RequestContext>;

const DEFAULT_PAGE_BINDINGS = 100;

const nameSchema = z.string().refine((name) => parseName(name).problem === undefined, 'is not a name');
const ledgerSchema = z.object({ backend: nameSchema, model: nameSchema });
const freshnessSchema = z.strictObject({
  atLeast: z.union([z.literal('head'), z.int().min(-1)]).optional(),
  timeoutMs: z.number().min(0).optional(),
});
const pageSchema = z.strictObject({
  limit: z.int().min(1).max(MAX_PAGE_BINDINGS).default(DEFAULT_PAGE_BINDINGS),
  cursor: z.string().optional(),
});
const instant = z.preprocess(textOfDate, instantSchema);
const filterSchema = z.strictObject({
  recordId: idSchema.optional(),
  externalId: idSchema.optional(),
  state: z.enum(['pending', 'bound', 'unbound']).optional(),
  syncedBefore: instant.optional(),
  syncedAfter: instant.optional(),
  createdBefore: instant.optional(),
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).optional(),
});
const recordSchema = z.strictObject({
  localModel: idSchema,
  recordId: idSchema,
  reason: reasonSchema.optional(),
  key: keySchema.optional(),
});
const backendTypeSchema = backendTypeBody.extend({ type: z.string() });
const modelSchema = modelBody.extend({ model: z.string() });
const text = keySchema.optional();
const contextSchema = z.strictObject({ actor: text, onBehalfOf: text, correlationId: text, causationId: text });

export interface AdmittedRecord {
  localModel: string;
  recordId: string;
  reason?: string;
  key?: string;
}

export const admitLedger = (ledger: LedgerName): LedgerName | Refusal => admit(ledgerSchema, ledger, 'the ledger');
export const admitFreshness = (freshness: Freshness): Freshness | Refusal => admit(freshnessSchema, freshness, 'the freshness');
export const admitPage = (page: PageInput): { limit: number; cursor?: string } | Refusal => admit(pageSchema, page, 'the page');
/** A record of the schema drops a member `__proto__`, and what is left of the filter would admit every binding. */
export const admitFilter = (filter: FilterInput): BindingFilter | Refusal =>
  Object.hasOwn(filter.data ?? {}, '__proto__')
    ? refuse('FIELD_NOT_INDEXED', 'data.__proto__ is not among the fields that the model indexes')
    : admit(filterSchema, filter, 'the filter');
export const admitContext = (context: CommandContext): CommandContext | Refusal => admit(contextSchema, context, 'the context');
export const admitBackendType = (type: DefineBackendType): DefineBackendType | Refusal =>
  admit(backendTypeSchema, type, 'the backend type');
export const admitModel = (model: DefineBindingModel): DefineBindingModel | Refusal => admit(modelSchema, model, 'the model');
export const admitBackend = (backend: RegisterBackend): RegisterBackend | Refusal => admit(backendBody, backend, 'the backend');
export const admitRecord = (record: RecordInput & { reason?: string; key?: string }): AdmittedRecord | Refusal =>
  admit(recordSchema, record, 'the record');

export function admitId(id: Id, what: string): { id: string } | Refusal {
  const parsed = parseId(id);
  return parsed.problem === undefined ? { id: parsed.value } : refuse('INVALID_ID', `${what}: ${parsed.problem}`);
}

const asOfSchema = z.union([z.strictObject({ revision: z.int().min(-1) }), instant.transform((at) => ({ at }))]);
const historySchema = z.union([
  z.strictObject({ bindingId: idSchema }),
  z.strictObject({ recordId: idSchema }),
  z.strictObject({ externalId: idSchema }),
]);

export const admitAsOf = (asOf: AsOfInput): AsOf | Refusal => admit(asOfSchema, asOf, 'asOf');
export const admitHistory = (of: HistoryInput): HistoryKey | Refusal => admit(historySchema, of, 'the history');

export function admitCommand(input: CommandInput): Command | Refusal {
  const given: Record<string, unknown> = { ...input };
  return parseCommand('syncDate' in given ? { ...given, syncDate: textOfDate(given['syncDate']) } : given);
}

export function admitLookup(input: LookupInput): { externalIds: string[] } | { recordIds: string[] } | Refusal {
  const admitted = admit(lookupBody, input, 'the lookup');
  if (isRefusal(admitted)) return admitted;
  const { externalIds, recordIds = [] } = admitted;
  if ((externalIds ?? recordIds).length > MAX_LOOKUP_IDS)
    return refuse('TOO_LARGE', `a lookup has at most ${MAX_LOOKUP_IDS} ids`);
  return externalIds === undefined ? { recordIds } : { externalIds };
}

function admit<T extends object>(schema: z.ZodType<T>, value: unknown, what: string): T | Refusal {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : refusalOfIssues(parsed.error.issues, what);
}

/** An invalid `Date` becomes text that is no instant, so that it is refused like any other wrong date. */
function textOfDate(value: unknown): unknown {
  if (!(value instanceof Date)) return value;
  return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
}

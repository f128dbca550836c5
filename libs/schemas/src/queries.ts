/** Query parameters: they come as text, each at most once, and unknown ones are refused. */
import { z } from 'zod';
import { parseName, refuse, type Refusal } from '#domain';
import { causeSchema } from './commands.js';
import { refusalOfIssues } from './problems.js';
import {
  asOfSchema,
  bindingIdSchema,
  countTextSchema,
  flagTextSchema,
  idTextSchema,
  instantSchema,
  reasonSchema,
} from './values.js';

export const DEFAULT_PAGE = 100;
/** How long a read may wait for the read model, and an empty page of events for the next one. */
export const MAX_WAIT_MS = 60_000;
/** Items a page. */
export const MAX_PAGE = 1_000;
/** Ids that one lookup may name, over all models that it asks for. */
export const MAX_LOOKUP_IDS = 1_000;
const MAX_REVISION = Number.MAX_SAFE_INTEGER;
/** −1 is the revision of a ledger that has no event: so its writes answer, and so it is taken back. */
const REVISION = '-1|\\d{1,15}';
const REVISION_TEXT = new RegExp(`^(?:${REVISION})$`);
const LEDGER_AT_REVISION = new RegExp(`^([^/@]+)/([^/@]+)@(${REVISION})$`);
const MAX_CURSOR_LENGTH = 4_096;
/** Ledgers that one read across ledgers can be made to wait for. */
export const MAX_AWAITED_LEDGERS = 100;

const atLeast = z
  .string()
  .transform((text, context): number | 'head' => {
    if (text === 'head') return 'head';
    if (REVISION_TEXT.test(text)) return Number(text);
    context.issues.push({ code: 'custom', message: 'must be a revision or "head"', input: text });
    return z.NEVER;
  })
  .meta({
    type: 'string',
    pattern: `^(head|${REVISION})$`,
    description: 'Answer from a read model that includes this revision, or the newest one as of now (`head`).',
  });

const timeout = countTextSchema(0, MAX_WAIT_MS, {
  description: 'How long to wait for `atLeast`, in milliseconds; then `NOT_YET_PROJECTED`. Default: 2000.',
});
const freshness = { atLeast: atLeast.optional(), timeout: timeout.optional() };

const limit = countTextSchema(1, MAX_PAGE, { description: `Items a page. Default: ${DEFAULT_PAGE}.` });
export const limitQuery = limit;
export const waitQuery = countTextSchema(0, MAX_WAIT_MS, {
  description: 'When there is no event yet, wait so many milliseconds for one.',
});
const cursor = z
  .string()
  .min(1)
  .max(MAX_CURSOR_LENGTH)
  .meta({ description: 'Where the page begins: `nextCursor` of the page before.' });

export const readQuery = z.strictObject(freshness);
export const writeQuery = z.strictObject({ ifBinding: bindingIdSchema.optional(), reason: reasonSchema.optional() });
export const unbindQuery = writeQuery.extend({ cause: causeSchema.optional() });
export const commandsQuery = z.strictObject({ atomic: flagTextSchema.optional() });
export const reasonQuery = writeQuery.pick({ reason: true });
export const pageQuery = z.strictObject({ limit: limit.optional(), cursor: cursor.optional() });
/** Cursors of a backend's history are revisions. */
export const historyQuery = z.strictObject({ limit: limit.optional(), cursor: countTextSchema(0, MAX_REVISION, {}).optional() });

export const eventsQuery = z.strictObject({
  after: countTextSchema(-1, MAX_REVISION, {
    description: 'The revision before the first event that is wanted. Default: -1.',
  }).optional(),
  limit: limit.optional(),
  wait: waitQuery.optional(),
  ...freshness,
});

export const listQuery = z.strictObject({
  recordId: idTextSchema.optional(),
  externalId: idTextSchema.optional(),
  state: z.enum(['pending', 'bound', 'unbound']).optional().meta({ description: 'Default: live ones, pending and bound.' }),
  syncedBefore: instantSchema.optional(),
  syncedAfter: instantSchema.optional(),
  createdBefore: instantSchema.optional(),
  asOf: asOfSchema.optional(),
  limit: limit.optional(),
  cursor: cursor.optional(),
  ...freshness,
});
export type ListQuery = z.output<typeof listQuery> & { data: Record<string, string> };

const DATA_PREFIX = 'data.';

/** `data.<field>` may be any field, so these parameters are told apart from the others by their beginning. */
export function parseListQuery(query: Record<string, unknown>): ListQuery | Refusal {
  const data: [string, string][] = [];
  // Without a prototype, so that `__proto__` is a parameter like any other that there is not.
  const others: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(query)) {
    if (!name.startsWith(DATA_PREFIX)) others[name] = value;
    else if (typeof value === 'string' && name.length > DATA_PREFIX.length) data.push([name.slice(DATA_PREFIX.length), value]);
    else return refuse('MALFORMED', `${name.slice(0, 100)} is given once, with the name of a field`);
  }
  const parsed = listQuery.safeParse(others);
  return parsed.success ? { ...parsed.data, data: Object.fromEntries(data) } : refusalOfIssues(parsed.error.issues, 'the query');
}

export interface AwaitedLedger {
  backend: string;
  model: string;
  revision: number;
}

const acrossAtLeast = z
  .string()
  .transform((text, context): AwaitedLedger[] => {
    const parts = text.split(',', MAX_AWAITED_LEDGERS + 1);
    const ledgers = parts.map(awaitedLedger).filter((ledger) => ledger !== undefined);
    if (ledgers.length === parts.length && parts.length <= MAX_AWAITED_LEDGERS) return ledgers;
    const message = `must be a list of at most ${MAX_AWAITED_LEDGERS} "<backend>/<model>@<revision>", with commas between them`;
    context.issues.push({ code: 'custom', message, input: text });
    return z.NEVER;
  })
  .meta({
    type: 'string',
    description: 'Revisions that the answer includes: `<backend>/<model>@<revision>`, with commas between them.',
  });

function awaitedLedger(text: string): AwaitedLedger | undefined {
  const [, backend = '', model = '', revision = ''] = LEDGER_AT_REVISION.exec(text) ?? [];
  const named = parseName(backend).problem === undefined && parseName(model).problem === undefined;
  return named ? { backend, model, revision: Number(revision) } : undefined;
}

export const acrossQuery = z.strictObject({ atLeast: acrossAtLeast.optional(), timeout: timeout.optional() });
export const recordBindingsQuery = acrossQuery.extend({
  backendType: z.string().min(1).max(100).optional(),
  includeUnbound: flagTextSchema.optional(),
  limit: countTextSchema(1, MAX_PAGE, { description: `Items a page. Default: ${MAX_PAGE}.` }).optional(),
  cursor: cursor.optional(),
});

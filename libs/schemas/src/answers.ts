/** What the API answers, for its description: the shapes that the ledger's own types have on the wire. */
import { z } from 'zod';
import { BINDING_STATES, OUTCOMES, REMOVAL_CAUSES } from '#domain';

const instant = z
  .string()
  .meta({ format: 'date-time', description: 'UTC with milliseconds.', example: '2026-03-03T08:30:00.000Z' });
const data = z.record(z.string(), z.unknown());
const revision = z.int().meta({ description: "The ledger's revision." });
const cause = z.enum(REMOVAL_CAUSES);
const bindingState = z.enum(BINDING_STATES);
const localModel = z.string().nullable();

export const bindingAnswer = z
  .object({
    id: z.string(),
    backend: z.string(),
    model: z.string(),
    localModel,
    recordId: z.string(),
    externalId: z.string().nullable(),
    syncDate: instant.nullable(),
    data,
    state: bindingState,
    version: z.int(),
    revision,
    createdAt: instant,
    updatedAt: instant,
    unboundAt: instant.optional(),
    cause: cause.optional(),
    reason: z.string().optional(),
  })
  .meta({ id: 'Binding' });

export const outcomeSchema = z.enum(OUTCOMES);

export const commandAnswer = z
  .object({
    outcome: outcomeSchema,
    binding: bindingAnswer.nullable(),
    displaced: bindingAnswer.optional().meta({ description: 'The binding that a take-over removed.' }),
    revision,
  })
  .meta({ id: 'CommandAnswer' });

export const moveAnswer = z
  .object({ outcome: z.enum(['moved', 'unchanged']), bindings: z.array(bindingAnswer), revision })
  .meta({ id: 'MoveAnswer' });

export const problemAnswer = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable; the page of error codes explains each.' }),
    retryable: z.boolean(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    holder: bindingAnswer.optional(),
    candidates: z.array(bindingAnswer).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' });

const lineError = z.looseObject({ code: z.string(), detail: z.string(), retryable: z.boolean() });
export const commandLineAnswer = z
  .union([
    z.object({
      line: z.int(),
      outcome: outcomeSchema,
      binding: bindingAnswer.nullable(),
      bindings: z.array(bindingAnswer).optional(),
      displaced: bindingAnswer.optional(),
      revision,
    }),
    z.object({ line: z.int(), error: lineError }),
  ])
  .meta({ id: 'CommandLineAnswer' });

export const bindingPage = z
  .object({ items: z.array(bindingAnswer), nextCursor: z.string().nullable() })
  .meta({ id: 'BindingPage' });
export const bindingList = z
  .object({ items: z.array(bindingAnswer), nextCursor: z.string().nullable() })
  .meta({ id: 'BindingList' });

export const lookupAnswer = z
  .object({
    found: z.record(z.string(), z.array(bindingAnswer)).meta({ description: 'By the id that was asked for.' }),
    missing: z.array(z.string()),
  })
  .meta({ id: 'LookupAnswer' });
export const backendLookupAnswer = z
  .record(z.string(), lookupAnswer)
  .meta({ id: 'BackendLookupAnswer', description: 'By model.' });

export const ledgerStatusAnswer = z
  .object({
    state: z.enum(['unopened', 'open', 'paused', 'closed']),
    live: z.int(),
    pending: z.int(),
    unbound: z.int(),
    newestSyncDate: instant.nullable(),
    headRevision: z.int().meta({ description: '-1 before the first event.' }),
    projectedRevision: z.int(),
    headPosition: z.string().nullable(),
  })
  .meta({ id: 'LedgerStatus' });

export const eventAnswer = z
  .looseObject({
    id: z.string(),
    position: z.string().meta({ description: 'Opaque.' }),
    revision,
    type: z.string(),
    backend: z.string(),
    model: z.string(),
    localModel,
    bindingId: z.string().optional(),
    version: z.int().optional(),
    recordId: z.string().optional(),
    externalId: z.string().nullable().optional(),
    state: bindingState.optional(),
    syncDate: instant.nullable().optional(),
    data: data.optional(),
    previousRecordId: z.string().optional(),
    previousExternalId: z.string().nullable().optional(),
    previousState: bindingState.optional(),
    cause: cause.optional(),
    direction: z.enum(['import', 'export']).optional(),
    reason: z.string().optional(),
    at: instant,
    actor: z.string(),
    onBehalfOf: z.string().optional(),
    correlationId: z.string(),
    causationId: z.string().optional(),
    hash: z.string(),
  })
  .meta({ id: 'Event', description: 'Events of the ledger itself have no binding.' });
export const eventPage = z
  .object({ items: z.array(eventAnswer), nextAfter: z.int().meta({ description: 'The `after` of the next page.' }) })
  .meta({ id: 'EventPage' });

export const digestAnswer = z
  .object({ ledger: z.string(), revision, hash: z.string(), at: z.string() })
  .meta({ id: 'Digest', description: 'Kept elsewhere, it proves that nothing up to its revision was changed since.' });

export const recordDeletionAnswer = z
  .object({
    unbound: z.array(bindingAnswer),
    refused: z.array(z.object({ ledger: z.string(), code: z.string(), detail: z.string() })),
    revisions: z
      .array(z.object({ ledger: z.string(), revision: z.int() }))
      .meta({ description: 'Of each ledger in which something was unbound, what a read must include to see it.' }),
  })
  .meta({ id: 'RecordDeletion' });

export const liveAnswer = z.object({ live: z.literal(true) }).meta({ id: 'Liveness' });
export const readyAnswer = z
  .looseObject({ ready: z.boolean(), reasons: z.array(z.string()).meta({ description: 'Why it is not ready.' }) })
  .meta({ id: 'Readiness' });

// ── Catalog and backends ─────────────────────────────────────────────────────────────────────────────────────────────

const recorded = { revision: z.int(), createdAt: instant, updatedAt: instant };
const nextCursor = z.string().nullable();

export const backendTypeAnswer = z
  .object({
    type: z.string(),
    label: z.string(),
    versions: z.array(z.object({ value: z.string(), label: z.string() })),
    settingsSchema: data.nullable(),
    ...recorded,
  })
  .meta({ id: 'BackendType' });
export const backendTypePage = z.object({ items: z.array(backendTypeAnswer), nextCursor }).meta({ id: 'BackendTypePage' });

export const modelAnswer = z
  .object({
    model: z.string(),
    backendType: z.string(),
    localModel,
    dataSchema: data.nullable(),
    cardinality: z.enum(['one', 'many']),
    indexes: z.array(z.string()),
    ...recorded,
  })
  .meta({ id: 'Model' });
export const modelPage = z.object({ items: z.array(modelAnswer), nextCursor }).meta({ id: 'ModelPage' });

export const backendAnswer = z
  .object({
    id: z.string(),
    type: z.string(),
    name: z.string(),
    location: z.string(),
    version: z.string().nullable(),
    username: z.string().nullable(),
    hasPassword: z.boolean(),
    settings: data.meta({ description: 'Without secret ones.' }),
    secretNames: z.array(z.string()).meta({ description: 'Secret settings that are set.' }),
    state: z.enum(['active', 'paused', 'retiring', 'retired']),
    models: z.array(z.string()).meta({ description: 'Models of its ledgers.' }),
    ...recorded,
  })
  .meta({ id: 'Backend' });
export const backendPage = z.object({ items: z.array(backendAnswer), nextCursor }).meta({ id: 'BackendPage' });

export const backendEventAnswer = z
  .looseObject({
    id: z.string(),
    revision: z.int(),
    type: z.string(),
    data,
    at: instant,
    actor: z.string(),
    onBehalfOf: z.string().optional(),
    correlationId: z.string(),
    reason: z.string().optional(),
    changed: z
      .record(z.string(), z.object({ from: z.unknown(), to: z.unknown() }))
      .optional()
      .meta({ description: 'Members of the backend that the event changed, before and after it.' }),
  })
  .meta({ id: 'BackendEvent' });
export const backendEventPage = z.object({ items: z.array(backendEventAnswer), nextCursor }).meta({ id: 'BackendEventPage' });

export const credentialsAnswer = z
  .object({ username: z.string().nullable(), password: z.string().nullable(), secrets: data })
  .meta({ id: 'Credentials' });

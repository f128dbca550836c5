/** The form that events of a ledger have, member by member: nothing of what is stored is believed before. */
import { BINDING_STATES, EVENT_SCHEMA, OUTCOMES, parseId, parseInstant, REMOVAL_CAUSES, type LedgerRules } from '#domain';
import { isObject } from './stored-event.js';

type Members = Record<string, unknown>;

const outcomes: ReadonlySet<unknown> = new Set(OUTCOMES);
const causes: ReadonlySet<unknown> = new Set(REMOVAL_CAUSES);
const states: ReadonlySet<unknown> = new Set(BINDING_STATES);
const HASH_LENGTH = 64;
const MAX_INDEXES = 5;

/** In a batch nearly all instants of a kind are the same one. */
export function instantCheck(): (value: unknown) => value is string {
  let last: string | undefined;
  return (value): value is string => {
    if (typeof value !== 'string') return false;
    if (value === last) return true;
    const parsed = parseInstant(value);
    if (parsed.problem !== undefined || parsed.value !== value) return false;
    last = value;
    return true;
  };
}
const isSyncDate = instantCheck();

export function isName(value: unknown): value is string {
  const parsed = parseId(value);
  return parsed.problem === undefined && parsed.value === value;
}

const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Everything but `at`, which is checked beside that of the event before, and `hash`. */
export function problemOfMetadata(metadata: Members): string | undefined {
  const { schema, actor, correlationId, direction, idempotency } = metadata;
  if (!isCount(schema) || schema < 1) return 'its schema version is no number';
  if (schema > EVENT_SCHEMA) return `its schema version ${schema} is not known to this version: verify with a newer one`;
  if (typeof actor !== 'string' || typeof correlationId !== 'string') return 'it lacks its actor or its correlation id';
  const { onBehalfOf, causationId, reason } = metadata;
  if (!isTextOrAbsent(onBehalfOf) || !isTextOrAbsent(causationId) || !isTextOrAbsent(reason))
    return 'one of onBehalfOf, causationId and reason is no text';
  if (direction !== undefined && direction !== 'import' && direction !== 'export') return 'its direction is none';
  return idempotency === undefined ? undefined : problemOfIdempotency(idempotency);
}

function problemOfIdempotency(stored: unknown): string | undefined {
  if (!isObject(stored)) return 'its idempotency record is no object';
  const { key, request, outcome, rest, others, displaced } = stored;
  if (typeof key !== 'string' || key === '') return 'its idempotency record has no key';
  if (typeof request !== 'string' || request.length !== HASH_LENGTH) return 'its idempotency record has no hash of the request';
  if (!outcomes.has(outcome)) return 'its idempotency record has no outcome';
  if (!isObject(rest)) return 'its idempotency record lacks the rest of the binding';
  if (others !== undefined && !(Array.isArray(others) && others.every(isObject)))
    return 'its idempotency record names other bindings that are none';
  return displaced === undefined || isObject(displaced)
    ? undefined
    : 'its idempotency record names a displaced binding that is none';
}

/** Of the data of a binding event; what it says of the binding before is another matter. */
export function problemOfBindingData(type: string, data: Members): string | undefined {
  const { bindingId, version, recordId, externalId, state, syncDate, cause } = data;
  if (typeof bindingId !== 'string' || bindingId === '') return 'it names no binding';
  if (!isCount(version) || version < 1) return 'its version is no number from 1';
  if (typeof recordId !== 'string') return 'its record id is no text';
  if (externalId !== null && typeof externalId !== 'string') return 'its external id is neither text nor null';
  if (!states.has(state)) return 'its state is none';
  if (state === 'bound' && externalId === null) return 'it is bound without an external id';
  if (state === 'pending' && externalId !== null) return 'it is pending with an external id';
  if (syncDate !== undefined && syncDate !== null && !isSyncDate(syncDate)) return 'its sync date is no date';
  if (data['data'] !== undefined && !isObject(data['data'])) return 'the data of the binding is no object';
  if (type === 'BindingRemoved' ? !causes.has(cause) : cause !== undefined)
    return type === 'BindingRemoved' ? 'it has no cause of removal' : 'it has a cause of removal, and removes nothing';
  return undefined;
}

/** Of the data of an event of the ledger itself. */
export function problemOfControlData(data: Members): string | undefined {
  for (const name of ['backendRevision', 'modelRevision'])
    if (data[name] !== undefined && !isCount(data[name])) return `its ${name} is no revision`;
  return data['rules'] === undefined ? undefined : problemOfRules(data['rules']);
}

function problemOfRules(rules: unknown): string | undefined {
  if (!isObject(rules)) return 'its rules are no object';
  const { localModel, cardinality, dataSchema, indexes } = rules as Partial<Record<keyof LedgerRules, unknown>>;
  if (localModel !== null && typeof localModel !== 'string') return 'its rules have no local model';
  if (cardinality !== 'one' && cardinality !== 'many') return 'its rules have no cardinality';
  if (dataSchema !== null && !isObject(dataSchema)) return 'its rules have a data schema that is no object';
  const fields = Array.isArray(indexes) ? indexes : undefined;
  if (fields === undefined || fields.length > MAX_INDEXES || fields.some((field) => typeof field !== 'string'))
    return 'its rules have no indexes';
  return undefined;
}

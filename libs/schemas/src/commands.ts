/** Commands as they come over the wire: bodies of calls that do one, and the lines of a bulk stream. */
import { z } from 'zod';
import type { Command, Refusal } from '#domain';
import { refusalOfIssues } from './problems.js';
import {
  bindingIdSchema,
  dataSchema,
  directionSchema,
  idSchema,
  keySchema,
  optionalSyncDateSchema,
  reasonSchema,
  syncDateSchema,
  versionSchema,
} from './values.js';

const ifBound = z
  .enum(['refuse', 'replace'])
  .meta({ description: 'What to do when the record is bound to another external id.' });
const ifTaken = z
  .enum(['refuse', 'return', 'takeOver'])
  .meta({ description: 'What to do when another record holds the external id.' });

const bindFields = {
  syncDate: optionalSyncDateSchema.optional(),
  data: dataSchema.optional(),
  direction: directionSchema.optional(),
  ifBound: ifBound.optional(),
  ifTaken: ifTaken.optional(),
};
const syncFields = {
  syncDate: syncDateSchema.optional(),
  data: dataSchema.optional(),
  force: z.boolean().optional().meta({ description: 'Sets the date although it is not newer.' }),
};
/** Causes that callers may give; the others are the ledger's own. */
export const causeSchema = z.enum(['requested', 'missingInBackend']);

// ── Bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const bindBody = z
  .strictObject({ recordId: idSchema, externalId: idSchema.optional(), ...bindFields })
  .meta({ id: 'BindRequest' });
export const bindThisBody = z.strictObject({ externalId: idSchema, ...bindFields }).meta({ id: 'BindThisRequest' });
export const syncBody = z.strictObject({ ...syncFields, direction: directionSchema.optional() }).meta({ id: 'SyncRequest' });
/** A sync needs no body: it means now. */
export const optionalSyncBody = syncBody.prefault({});
export const changeDataBody = z.strictObject({ data: dataSchema }).meta({ id: 'ChangeDataRequest' });
export const moveThisBody = z.strictObject({ toRecordId: idSchema }).meta({ id: 'MoveThisRequest' });
export const moveBody = z.strictObject({ fromRecordId: idSchema, toRecordId: idSchema }).meta({ id: 'MoveRequest' });

// ── Lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const options = {
  key: keySchema.optional(),
  expectedVersion: versionSchema.optional(),
  ifBinding: bindingIdSchema.optional(),
  reason: reasonSchema.optional(),
  direction: directionSchema.optional(),
};
const target = { recordId: idSchema.optional(), externalId: idSchema.optional(), bindingId: idSchema.optional() };

const NOT_ONE_TARGET = 'names its binding by exactly one of recordId, externalId and bindingId';
function namesOne(line: { recordId?: string; externalId?: string; bindingId?: string }): boolean {
  const named =
    Number(line.recordId !== undefined) + Number(line.externalId !== undefined) + Number(line.bindingId !== undefined);
  return named === 1;
}

const bindLine = z
  .strictObject({
    op: z.literal('bind'),
    recordId: idSchema.optional(),
    bindingId: idSchema.optional(),
    externalId: idSchema.optional(),
    ...bindFields,
    ...options,
  })
  .refine(
    (line) => (line.recordId === undefined) !== (line.bindingId === undefined),
    'names either recordId or bindingId, and not both',
  )
  .refine((line) => line.bindingId === undefined || line.externalId !== undefined, 'with bindingId names an externalId')
  .meta({ id: 'BindCommand' });
const syncLine = z
  .strictObject({ op: z.literal('sync'), ...target, ...syncFields, ...options })
  .refine(namesOne, NOT_ONE_TARGET)
  .meta({ id: 'SyncCommand' });
const changeDataLine = z
  .strictObject({ op: z.literal('changeData'), ...target, data: dataSchema, ...options })
  .refine(namesOne, NOT_ONE_TARGET)
  .meta({ id: 'ChangeDataCommand' });
const unbindLine = z
  .strictObject({ op: z.literal('unbind'), ...target, cause: causeSchema.optional(), ...options })
  .refine(namesOne, NOT_ONE_TARGET)
  .meta({ id: 'UnbindCommand' });
const moveLine = z
  .strictObject({
    op: z.literal('move'),
    fromRecordId: idSchema.optional(),
    bindingId: idSchema.optional(),
    toRecordId: idSchema,
    ...options,
  })
  .refine(
    (line) => (line.fromRecordId === undefined) !== (line.bindingId === undefined),
    'names either fromRecordId or bindingId, and not both',
  )
  .meta({ id: 'MoveCommand' });

export const commandLine = z
  .discriminatedUnion('op', [bindLine, syncLine, changeDataLine, unbindLine, moveLine])
  .meta({ id: 'Command', description: 'One line of a bulk stream.' });

/** A line of a bulk stream, after `JSON.parse`. It is called a million times in a row. */
export function parseCommand(input: unknown): Command | Refusal {
  const parsed = commandLine.safeParse(input);
  return parsed.success ? parsed.data : refusalOfIssues(parsed.error.issues, 'the command');
}

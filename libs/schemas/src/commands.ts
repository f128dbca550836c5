/** Commands as they come over the wire: bodies of calls that do one, and the lines of a bulk stream. */
import { z } from 'zod';
import type { Command, Refusal } from '#domain';
import { admission } from './admission.js';
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

interface Targets {
  recordId?: string;
  externalId?: string;
  bindingId?: string;
}
interface MoveTargets {
  fromRecordId?: string;
  bindingId?: string;
}
const NOT_ONE_TARGET = 'names its binding by exactly one of recordId, externalId and bindingId';
const namesOne = (line: Targets) =>
  Number(line.recordId !== undefined) + Number(line.externalId !== undefined) + Number(line.bindingId !== undefined) === 1;
const bindsOne = (line: Targets) => (line.recordId === undefined) !== (line.bindingId === undefined);
const bindsToSomething = (line: Targets) => line.bindingId === undefined || line.externalId !== undefined;
const movesOne = (line: MoveTargets) => (line.fromRecordId === undefined) !== (line.bindingId === undefined);

const lines = {
  bind: { op: z.literal('bind'), ...target, ...bindFields, ...options },
  sync: { op: z.literal('sync'), ...target, ...syncFields, ...options },
  changeData: { op: z.literal('changeData'), ...target, data: dataSchema, ...options },
  unbind: { op: z.literal('unbind'), ...target, cause: causeSchema.optional(), ...options },
  move: {
    op: z.literal('move'),
    fromRecordId: idSchema.optional(),
    bindingId: idSchema.optional(),
    toRecordId: idSchema,
    ...options,
  },
};

const bindLine = z
  .strictObject(lines.bind)
  .refine(bindsOne, 'names either recordId or bindingId, and not both')
  .refine(bindsToSomething, 'with bindingId names an externalId')
  .meta({ id: 'BindCommand' });
const syncLine = z.strictObject(lines.sync).refine(namesOne, NOT_ONE_TARGET).meta({ id: 'SyncCommand' });
const changeDataLine = z.strictObject(lines.changeData).refine(namesOne, NOT_ONE_TARGET).meta({ id: 'ChangeDataCommand' });
const unbindLine = z.strictObject(lines.unbind).refine(namesOne, NOT_ONE_TARGET).meta({ id: 'UnbindCommand' });
const moveLine = z
  .strictObject(lines.move)
  .refine(movesOne, 'names either fromRecordId or bindingId, and not both')
  .meta({ id: 'MoveCommand' });

export const commandLine = z
  .discriminatedUnion('op', [bindLine, syncLine, changeDataLine, unbindLine, moveLine])
  .meta({ id: 'Command', description: 'One line of a bulk stream; `op` says what it does.' });

const ADMISSIONS: Readonly<Record<string, ((input: object) => Command | undefined) | undefined>> = Object.assign(
  Object.create(null),
  {
    bind: admission<Command & Targets>(lines.bind, (line) => bindsOne(line) && bindsToSomething(line)),
    sync: admission<Command & Targets>(lines.sync, namesOne),
    changeData: admission<Command & Targets>(lines.changeData, namesOne),
    unbind: admission<Command & Targets>(lines.unbind, namesOne),
    move: admission<Command & MoveTargets>(lines.move, movesOne),
  },
);

/** A line of a bulk stream, after `JSON.parse`. It is called a million times in a row. */
export function parseCommand(input: unknown): Command | Refusal {
  return admitted(input) ?? parseBySchema(input);
}

function admitted(input: unknown): Command | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const { op } = input as { op?: unknown };
  return typeof op === 'string' ? ADMISSIONS[op]?.(input) : undefined;
}

/** The long way: the same answer, or every reason why there is none. */
export function parseBySchema(input: unknown): Command | Refusal {
  const parsed = commandLine.safeParse(input);
  return parsed.success ? parsed.data : refusalOfIssues(parsed.error.issues, 'the command');
}

/** What a ledger is asked to do, and what it answers. */
import type { Binding, Direction, RemovalCause } from './ledger.js';
import type { JsonObject } from './values.js';

/** What every command may carry besides its own fields. */
export interface CommandOptions {
  /** Idempotency key: the same key and request gives the first answer again, for 24 hours. */
  key?: string;
  /** The version that the binding must have. */
  expectedVersion?: number;
  /** The id of the binding that the caller means. */
  ifBinding?: string;
  reason?: string;
  direction?: Direction;
}

/** A binding, named by exactly one of the three. */
export interface Target {
  recordId?: string;
  externalId?: string;
  bindingId?: string;
}

/** Binds the record, or, with `bindingId` in its place, that very binding. */
export interface Bind extends CommandOptions {
  op: 'bind';
  recordId?: string;
  bindingId?: string;
  externalId?: string;
  /** Absent: now, when an external id is given; `null`: none. */
  syncDate?: string | null;
  /** A JSON merge patch. */
  data?: JsonObject;
  ifBound?: 'refuse' | 'replace';
  ifTaken?: 'refuse' | 'return' | 'takeOver';
}

export interface Sync extends CommandOptions, Target {
  op: 'sync';
  /** Absent: now. */
  syncDate?: string;
  data?: JsonObject;
  force?: boolean;
}

export interface ChangeData extends CommandOptions, Target {
  op: 'changeData';
  data: JsonObject;
}

export interface Unbind extends CommandOptions, Target {
  op: 'unbind';
  cause?: RemovalCause;
  /** All bindings of the record, as its deletion needs; else a record with several is ambiguous. */
  all?: boolean;
}

export interface Move extends CommandOptions {
  op: 'move';
  /** All bindings of this record, or the one with this id. */
  fromRecordId?: string;
  bindingId?: string;
  toRecordId: string;
}

export type Command = Bind | Sync | ChangeData | Unbind | Move;

export const OUTCOMES = [
  'created',
  'assigned',
  'replaced',
  'synced',
  'changed',
  'unchanged',
  'taken',
  'unbound',
  'moved',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What a command came to. `revision` is the ledger's at which the answer is true: that of the command's last event, else the head. */
export interface Answer {
  outcome: Outcome;
  binding: Binding | null;
  /** All bindings that a move or the deletion of a record concerned. */
  bindings?: Binding[];
  /** The binding that a take-over removed. */
  displaced?: Binding;
  revision: number;
}

export interface CommandKeys {
  recordIds: string[];
  externalIds: string[];
  bindingIds: string[];
}

/** What the command names, added to what others name. */
export function addKeysOf(command: Command, keys: CommandKeys): void {
  const { bindingId } = command;
  if (bindingId !== undefined) keys.bindingIds.push(bindingId);
  if (command.op === 'move') {
    if (command.fromRecordId !== undefined) keys.recordIds.push(command.fromRecordId);
    keys.recordIds.push(command.toRecordId);
    return;
  }
  if (command.recordId !== undefined) keys.recordIds.push(command.recordId);
  if (command.externalId !== undefined) keys.externalIds.push(command.externalId);
}

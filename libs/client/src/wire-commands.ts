/** Bulk commands and their results: one JSON object a line. */
import type { Binding, Direction, Outcome } from './wire-bindings.js';
import type { Id, Instant, JsonObject } from './values.js';

export interface CommandOptions {
  /** Idempotency key, unique in the ledger; the same key and command gives the first answer again, for 24 hours. */
  key?: string;
  /** The version that the binding must have; else `VERSION_MISMATCH`. */
  expectedVersion?: number;
  /** The id of the binding that is meant; else `VERSION_MISMATCH`. */
  ifBinding?: string;
  reason?: string;
  direction?: Direction;
}

/** Exactly one of the three names the binding. */
interface NamesBinding {
  recordId?: Id;
  externalId?: Id;
  bindingId?: Id;
}

export interface BindCommand extends CommandOptions {
  op: 'bind';
  /** The record, or, in its place, the binding. */
  recordId?: Id;
  bindingId?: Id;
  externalId?: Id;
  /** Default: now, when an external id is given; `null`: none. */
  syncDate?: Instant | null;
  data?: JsonObject;
  ifBound?: 'refuse' | 'replace';
  ifTaken?: 'refuse' | 'return' | 'takeOver';
}

export interface SyncCommand extends CommandOptions, NamesBinding {
  op: 'sync';
  /** Default: now. */
  syncDate?: Instant;
  data?: JsonObject;
  force?: boolean;
}

export interface ChangeDataCommand extends CommandOptions, NamesBinding {
  op: 'changeData';
  /** JSON merge patch. */
  data: JsonObject;
}

export interface UnbindCommand extends CommandOptions, NamesBinding {
  op: 'unbind';
  cause?: 'requested' | 'missingInBackend';
}

export interface MoveCommand extends CommandOptions {
  op: 'move';
  /** All bindings of this record, or, in its place, the one binding. */
  fromRecordId?: Id;
  bindingId?: Id;
  toRecordId: Id;
}

export type Command = BindCommand | SyncCommand | ChangeDataCommand | UnbindCommand | MoveCommand;

/** Why one line was refused; its neighbours are not concerned. Members as in a problem document. */
export interface CommandError {
  code: string;
  detail: string;
  retryable?: boolean;
  holder?: Binding;
  candidates?: Binding[];
  [member: string]: unknown;
}

/**
 * The result of one line, as the API sends it. `line` counts the request's lines from 1. Either kind names the members of the other,
 * so that a loop can take them apart at once: `for await (const { outcome, error } of …)`.
 */
export type CommandAnswer =
  | {
      line: number;
      outcome: Outcome;
      binding: Binding | null;
      bindings?: Binding[];
      displaced?: Binding;
      revision: number;
      error?: undefined;
    }
  | {
      line: number;
      error: CommandError;
      outcome?: undefined;
      binding?: undefined;
      bindings?: undefined;
      displaced?: undefined;
      revision?: undefined;
    };

/** The result of one command: `line` counts the commands of the whole stream from 1, and `command` is the one given. */
export type CommandResult<C extends Command = Command> = CommandAnswer & { command: C };

/** How far a stream of commands is. */
export interface CommandProgress {
  /** Lines handed to a connection, each counted once. */
  sent: number;
  /** Lines whose result has come. All lines up to here are answered, since results come in order. */
  answered: number;
  /** Of the answered ones, those that were refused. */
  refused: number;
  /** How often the stream went on over a new connection. */
  resumed: number;
}

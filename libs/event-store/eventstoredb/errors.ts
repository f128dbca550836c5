import {
  AccessDeniedError,
  isCommandError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
} from '@eventstore/db-client';
import { EventStoreError, MAX_APPEND_BYTES } from '#event-store';

/** Nothing came for so long that the call, or the subscription, was given up. */
export class Stalled extends Error {
  override readonly name = 'Stalled';
}

/** Status codes of gRPC, as far as they matter here: the client hands some errors on raw, without a class of its own. */
const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;

/** The call never left this process: there was no connection to send it on. */
const NEVER_SENT = /No connection established|Name resolution failed|Failed to discover/;

/** Whether there was nobody to ask: no connection came about. */
export function isUnreachable(error: unknown): boolean {
  return NEVER_SENT.test(reasonOf(error));
}

export function isDenied(error: unknown): boolean {
  if (error instanceof EventStoreError) return isDenied(error.cause);
  const code = codeOf(error);
  return error instanceof AccessDeniedError || code === UNAUTHENTICATED || code === PERMISSION_DENIED;
}

/** A node that knows its leader names it, with a class of error; one that does not says so in words. */
export function isNotLeader(error: unknown): boolean {
  if (error instanceof EventStoreError) return isNotLeader(error.cause);
  return error instanceof NotLeaderError || reasonOf(error).startsWith('No leader info');
}

/** What a node says that is not the leader. */
export function followerSentence(error: unknown, node: string): string {
  const { leader } = (error instanceof EventStoreError ? error.cause : error) as Partial<NotLeaderError>;
  const reached = leader === undefined ? 'it knows no leader' : `its leader ${leader.address}:${leader.port} was not reached`;
  return `${node} takes no writes: it is a follower or a read-only replica, and ${reached}`;
}

/** What became of an append that failed. When in doubt it may have been written. */
export function appendFailure(error: unknown, sent: boolean): EventStoreError {
  if (error instanceof EventStoreError) return error;
  if (error instanceof MaxAppendSizeExceededError) {
    const most = error.maxAppendSize;
    return new EventStoreError('TOO_LARGE', `An append of more than ${most} bytes: at most ${most ?? MAX_APPEND_BYTES}`);
  }
  if (error instanceof StreamDeletedError) return streamDeleted(error);
  const surelyNot = !sent || isDenied(error) || NEVER_SENT.test(reasonOf(error));
  if (surelyNot) return unavailable(error);
  return new EventStoreError('OUTCOME_UNKNOWN', `The event store did not say whether it wrote the events: ${reasonOf(error)}`, {
    cause: error,
  });
}

export function readFailure(error: unknown): EventStoreError {
  if (error instanceof EventStoreError) return error;
  return error instanceof StreamDeletedError ? streamDeleted(error) : unavailable(error);
}

function streamDeleted(error: StreamDeletedError): EventStoreError {
  return new EventStoreError('STREAM_DELETED', `The stream ${error.streamName} was deleted for good`, { cause: error });
}

function unavailable(error: unknown): EventStoreError {
  return new EventStoreError('UNAVAILABLE', sentenceOf(error), { cause: error });
}

function sentenceOf(error: unknown): string {
  if (isDenied(error)) return 'The event store refuses access: check the user and the password, and what the user may do';
  if (isNotLeader(error)) return followerSentence(error, 'The node of the event store');
  return `The event store cannot be reached: ${reasonOf(error)}`;
}

/** One line, and nothing of the connection string: gRPC's details never hold it. */
export function reasonOf(error: unknown): string {
  const details = (error as { details?: unknown } | null)?.details;
  const text = typeof details === 'string' && details !== '' ? details : error instanceof Error ? error.message : String(error);
  if (text === '' && error instanceof Error && isCommandError(error)) return error.type;
  // The client's classes put number and name of the status in front.
  return (text.split('\n', 1)[0] ?? '').replace(/^\d+ [A-Z_]+: /, '');
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

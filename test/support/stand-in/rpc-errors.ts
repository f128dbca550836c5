/** How a node says what is wrong: status codes, and the trailers that the client makes its classes of. */
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';

/** What ends a call, with an error or, for a refused batch, in an answer. */
export type RpcError = Pick<ServiceError, 'code' | 'details' | 'metadata'> & Error;

export const MAX_APPEND_BYTES = 1_048_576;

export const rpcErrors = {
  unavailable: (details = 'Server Is Not Ready') => rpcError(status.UNAVAILABLE, details),
  unknown: (details: string) => rpcError(status.UNKNOWN, details),
  timeout: (details: string) => rpcError(status.ABORTED, `Operation timed out: ${details}`),
  invalidArgument: (details: string) => rpcError(status.INVALID_ARGUMENT, details),
  invalidPosition: () => rpcError(status.INTERNAL, 'Trying to read from an invalid position'),
  unauthenticated: () => rpcError(status.UNAUTHENTICATED, 'Unauthenticated'),
  accessDenied: () => rpcError(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' }),
  noLeaderInfo: () => rpcError(status.UNKNOWN, 'No leader info available in response'),
  notLeader: (leader: { host: string; port: number }) =>
    rpcError(status.NOT_FOUND, 'Leader info available', {
      exception: 'not-leader',
      'leader-endpoint-host': leader.host,
      'leader-endpoint-port': String(leader.port),
    }),
  streamDeleted: (stream: string) =>
    rpcError(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
      exception: 'stream-deleted',
      'stream-name': stream,
    }),
  wrongExpectedVersion: (operation: string, stream: string, expected: bigint, actual: bigint) =>
    rpcError(
      status.FAILED_PRECONDITION,
      `${operation} failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${expected}, Actual version: ${actual}`,
      {
        exception: 'wrong-expected-version',
        'stream-name': stream,
        'expected-version': String(expected),
        'actual-version': String(actual),
      },
    ),
  maxAppendSizeExceeded: () =>
    rpcError(status.INVALID_ARGUMENT, `Maximum Append Size of ${MAX_APPEND_BYTES} Exceeded.`, {
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': String(MAX_APPEND_BYTES),
    }),
  requiredMetadataMissing: (property: string) =>
    rpcError(status.INVALID_ARGUMENT, `Required Metadata Property '${property}' is missing`, {
      exception: 'missing-required-metadata-property',
      'required-metadata-properties': 'type,content-type',
    }),
  /** What concerns a group of a persistent subscription. */
  group: (code: status, exception: string, stream: string, group: string, details: string) =>
    rpcError(code, `Subscription group ${group} on stream ${stream} ${details}`, {
      exception,
      'stream-name': stream,
      'group-name': group,
    }),
};

function rpcError(code: status, details: string, trailers: Record<string, string> = {}): RpcError {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, encodeHeader(value));
  return Object.assign(new Error(details), { code, details, metadata });
}

/** Headers are ASCII: what is not is replaced, as HTTP servers do. */
function encodeHeader(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, '?');
}

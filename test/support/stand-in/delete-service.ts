/** `Streams.Delete` and `Streams.Tombstone`. */
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import type {
  DeleteReq,
  DeleteResp as DeleteResponse,
  TombstoneReq,
  TombstoneResp as TombstoneResponse,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { expectedNumber, expectedOf, textOf } from './append-messages.js';
import { after, before, errorOf, refusalOf, type Node } from './calls.js';
import type { AppendOutcome, EventLog, Expected } from './log.js';
import { rpcErrors } from './rpc-errors.js';

type DeleteCall = ServerUnaryCall<DeleteReq, DeleteResponse>;
type TombstoneCall = ServerUnaryCall<TombstoneReq, TombstoneResponse>;

export function deleteHandler(node: Node, log: EventLog) {
  return (call: DeleteCall, callback: sendUnaryData<DeleteResponse>): void => {
    void decide(node, call, 'delete', (stream, expected) => log.softDelete(stream, expected)).then(
      (position) => position !== undefined && callback(null, deleted(position)),
      (error: Error) => callback(error),
    );
  };
}

export function tombstoneHandler(node: Node, log: EventLog) {
  return (call: TombstoneCall, callback: sendUnaryData<TombstoneResponse>): void => {
    void decide(node, call, 'tombstone', (stream, expected) => log.tombstone(stream, expected)).then(
      (position) => position !== undefined && callback(null, tombstoned(position)),
      (error: Error) => callback(error),
    );
  };
}

async function decide(
  node: Node,
  call: DeleteCall | TombstoneCall,
  method: 'delete' | 'tombstone',
  write: (stream: string, expected: Expected) => AppendOutcome,
): Promise<number | undefined> {
  const refusal = refusalOf(node, call, method);
  if (refusal !== undefined) throw refusal;
  const options = call.request.getOptions();
  if (options === undefined) throw rpcErrors.invalidArgument('Options are missing.');
  const stream = textOf(options.getStreamIdentifier());
  const expected = expectedOf(options, options.hasRevision() ? options.getRevision() : undefined);
  const verdict = await before(node, call, method, stream);
  if (verdict.kind === 'silent') return undefined;
  if (verdict.kind !== 'go') throw errorOf(verdict, 'Delete');
  const outcome = write(stream, expected);
  if (outcome.kind === 'streamDeleted') throw rpcErrors.streamDeleted(stream);
  if (outcome.kind === 'wrongExpectedVersion') {
    throw rpcErrors.wrongExpectedVersion('Delete', stream, expectedNumber(expected), outcome.current);
  }
  const answering = await after(node, call, method, stream);
  if (answering.kind === 'silent') return undefined;
  if (answering.kind !== 'go') throw errorOf(answering, 'Delete');
  return outcome.position;
}

function deleted(position: number): DeleteResponse {
  const at = new streams.DeleteResp.Position();
  at.setCommitPosition(String(position));
  at.setPreparePosition(String(position));
  const response = new streams.DeleteResp();
  response.setPosition(at);
  return response;
}

function tombstoned(position: number): TombstoneResponse {
  const at = new streams.TombstoneResp.Position();
  at.setCommitPosition(String(position));
  at.setPreparePosition(String(position));
  const response = new streams.TombstoneResp();
  response.setPosition(at);
  return response;
}

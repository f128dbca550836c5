/** A `BatchAppendReq`, read from its bytes: the one message of which there are many, and large. */
import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { UUID } from '@eventstore/db-client/generated/shared_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { idOf } from './append-messages.js';
import { rpcErrors } from './rpc-errors.js';
import { fieldsOf, type Proposal } from './wire.js';

export interface BatchRequest {
  correlationId: UUID | undefined;
  options: BatchAppendReq.Options | undefined;
  proposals: Proposal[];
  isFinal: boolean;
}

const EMPTY = new Uint8Array();

export function decodeBatchRequest(bytes: Buffer): BatchRequest {
  const request: BatchRequest = { correlationId: undefined, options: undefined, proposals: [], isFinal: false };
  for (const { field, value, from, to } of fieldsOf(bytes)) {
    if (field === 1) request.correlationId = shared.UUID.deserializeBinary(bytes.subarray(from, to));
    else if (field === 2) request.options = streams.BatchAppendReq.Options.deserializeBinary(bytes.subarray(from, to));
    else if (field === 3) request.proposals.push(decodeProposal(bytes, from, to));
    else if (field === 4) request.isFinal = value !== 0;
  }
  return request;
}

function decodeProposal(bytes: Buffer, start: number, end: number): Proposal {
  const proposal: Proposal = { id: '', type: '', contentType: '', data: EMPTY, metadata: EMPTY };
  for (const { field, from, to } of fieldsOf(bytes, start, end)) {
    if (field === 1) proposal.id = decodeId(bytes, from, to);
    else if (field === 2) decodeEntry(bytes, from, to, proposal);
    else if (field === 3) proposal.metadata = bytes.subarray(from, to);
    else if (field === 4) proposal.data = bytes.subarray(from, to);
  }
  return proposal;
}

/** A UUID is a text, or two numbers. */
function decodeId(bytes: Buffer, start: number, end: number): string {
  for (const { field, from, to } of fieldsOf(bytes, start, end)) {
    if (field === 2) return bytes.toString('latin1', from, to).toLowerCase();
  }
  return idOf(shared.UUID.deserializeBinary(bytes.subarray(start, end)));
}

function decodeEntry(bytes: Buffer, start: number, end: number, proposal: Proposal): void {
  let key = '';
  let value = '';
  for (const { field, from, to } of fieldsOf(bytes, start, end)) {
    if (field === 1) key = bytes.toString('latin1', from, to);
    else if (field === 2) value = bytes.toString('utf8', from, to);
  }
  if (key === 'type') proposal.type = value;
  else if (key === 'content-type') proposal.contentType = value;
}

/** @throws when an event has not what every event must have. */
export function checkProposal({ type, contentType }: Proposal): void {
  if (type === '') throw rpcErrors.requiredMetadataMissing('type');
  if (contentType === '') throw rpcErrors.requiredMetadataMissing('content-type');
}

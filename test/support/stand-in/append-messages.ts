/** The messages of appends: what they ask for, and how they are answered. */
import type {
  AppendReq,
  AppendResp as AppendResponse,
  BatchAppendResp as BatchAppendResponse,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import statuses from '@eventstore/db-client/generated/status_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { status } from '@grpc/grpc-js';
import { NO_STREAM, type AppendOutcome, type Expected } from './log.js';
import { MAX_APPEND_BYTES, rpcErrors } from './rpc-errors.js';
import type { Proposal } from './wire.js';

const NAMESPACE = 'event_store.client';

interface ExpectedOptions {
  hasAny(): boolean;
  hasNoStream(): boolean;
  hasStreamExists(): boolean;
}

export function expectedOf(options: ExpectedOptions, revision: string | undefined): Expected {
  if (revision !== undefined) return BigInt(revision);
  if (options.hasNoStream()) return 'noStream';
  if (options.hasStreamExists()) return 'streamExists';
  if (options.hasAny()) return 'any';
  throw rpcErrors.invalidArgument('The expected revision is missing.');
}

/** The number that stands for an expectation where only numbers can. */
export function expectedNumber(expected: Expected): bigint {
  if (expected === 'noStream') return -1n;
  if (expected === 'any') return -2n;
  return expected === 'streamExists' ? -4n : expected;
}

export function textOf(identifier: StreamIdentifier | undefined): string {
  const name = Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
  if (name === '') throw rpcErrors.invalidArgument('The name of the stream is missing.');
  return name;
}

export function idOf(uuid: UUID | undefined): string {
  const structured = uuid?.getStructured();
  if (structured === undefined) return (uuid?.getString() ?? '').toLowerCase();
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64BE(BigInt(structured.getMostSignificantBits()), 0);
  bytes.writeBigInt64BE(BigInt(structured.getLeastSignificantBits()), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function proposalOf(message: AppendReq.ProposedMessage): Proposal {
  const metadata = message.getMetadataMap();
  const type = metadata.get('type') ?? '';
  const contentType = metadata.get('content-type') ?? '';
  const id = idOf(message.getId());
  return { id, type, contentType, data: message.getData_asU8(), metadata: message.getCustomMetadata_asU8() };
}

/** What a node counts of an event towards the limit of an append. */
export function sizeOf({ type, data, metadata }: Proposal): number {
  return 2 * type.length + data.length + metadata.length;
}

type Refused = Extract<AppendOutcome, { kind: 'wrongExpectedVersion' }>;
type Written = Extract<AppendOutcome, { kind: 'written' }>;

export function appendResponse(outcome: Exclude<AppendOutcome, { kind: 'streamDeleted' }>, expected: Expected): AppendResponse {
  const response = new streams.AppendResp();
  if (outcome.kind === 'written') response.setSuccess(success(outcome));
  else response.setWrongExpectedVersion(unaryRefusal(outcome, expected));
  return response;
}

function success({ lastRevision, position }: Written): AppendResponse.Success {
  const message = new streams.AppendResp.Success();
  if (lastRevision < 0n) message.setNoStream(new shared.Empty());
  else message.setCurrentRevision(String(lastRevision));
  const at = new streams.AppendResp.Position();
  at.setCommitPosition(String(position));
  at.setPreparePosition(String(position));
  message.setPosition(at);
  return message;
}

function unaryRefusal({ current }: Refused, expected: Expected): AppendResponse.WrongExpectedVersion {
  const message = new streams.AppendResp.WrongExpectedVersion();
  if (current === NO_STREAM) message.setCurrentNoStream(new shared.Empty());
  else message.setCurrentRevision(String(current));
  if (expected === 'any') message.setExpectedAny(new shared.Empty());
  else if (expected === 'noStream') message.setExpectedNoStream(new shared.Empty());
  else if (expected === 'streamExists') message.setExpectedStreamExists(new shared.Empty());
  else message.setExpectedRevision(String(expected));
  return message;
}

interface Serializable {
  serializeBinary(): Uint8Array;
}

/** The answer to one append of those that share a call. */
export class BatchAnswer {
  readonly id: string;
  stream = '';
  readonly #correlationId: UUID | undefined;

  constructor(correlationId: UUID | undefined) {
    this.#correlationId = correlationId;
    this.id = idOf(correlationId);
  }

  outcome(outcome: AppendOutcome, expected: Expected): BatchAppendResponse {
    if (outcome.kind === 'streamDeleted') return this.#streamDeleted();
    if (outcome.kind === 'wrongExpectedVersion') return this.#wrongExpectedVersion(outcome, expected);
    const message = new streams.BatchAppendResp.Success();
    if (outcome.lastRevision < 0n) message.setNoStream(new empty.Empty());
    else message.setCurrentRevision(String(outcome.lastRevision));
    const at = new shared.AllStreamPosition();
    at.setCommitPosition(String(outcome.position));
    at.setPreparePosition(String(outcome.position));
    message.setPosition(at);
    const response = this.#response();
    response.setSuccess(message);
    return response;
  }

  /** What a node says to one append of many, where a call of its own would end with a status. */
  of(kind: 'busy' | 'full' | 'timeout'): BatchAppendResponse {
    if (kind === 'timeout') return this.timeout();
    if (kind === 'full') return this.#error(status.UNKNOWN, 'Unknown', 'Unknown', new shared.Unknown());
    return this.#error(status.OK, 'Server Is Busy', undefined, new empty.Empty());
  }

  timeout(): BatchAppendResponse {
    return this.#error(status.DEADLINE_EXCEEDED, 'Timeout', 'Timeout', new shared.Timeout());
  }

  maxAppendSizeExceeded(): BatchAppendResponse {
    const details = new shared.MaximumAppendSizeExceeded();
    details.setMaxappendsize(MAX_APPEND_BYTES);
    return this.#error(status.INVALID_ARGUMENT, 'Maximum Append Size Exceeded', 'MaximumAppendSizeExceeded', details);
  }

  badRequest(text: string): BatchAppendResponse {
    const details = new shared.BadRequest();
    details.setMessage(text);
    return this.#error(status.INVALID_ARGUMENT, text, 'BadRequest', details);
  }

  #streamDeleted(): BatchAppendResponse {
    const details = new shared.StreamDeleted();
    details.setStreamIdentifier(this.#identifier());
    return this.#error(status.FAILED_PRECONDITION, `Stream is deleted.`, 'StreamDeleted', details);
  }

  #wrongExpectedVersion({ current }: Refused, expected: Expected): BatchAppendResponse {
    const details = new shared.WrongExpectedVersion();
    if (current === NO_STREAM) details.setCurrentNoStream(new empty.Empty());
    else details.setCurrentStreamRevision(String(current));
    if (expected === 'any') details.setExpectedAny(new empty.Empty());
    else if (expected === 'noStream') details.setExpectedNoStream(new empty.Empty());
    else if (expected === 'streamExists') details.setExpectedStreamExists(new empty.Empty());
    else details.setExpectedStreamPosition(String(expected));
    return this.#error(status.FAILED_PRECONDITION, 'WrongExpectedVersion', 'WrongExpectedVersion', details);
  }

  #error(code: status, text: string, type: string | undefined, details: Serializable): BatchAppendResponse {
    const packed = new any.Any();
    packed.pack(details.serializeBinary(), type === undefined ? 'google.protobuf.Empty' : `${NAMESPACE}.${type}`);
    const error = new statuses.Status();
    error.setCode(code as number);
    error.setMessage(text);
    error.setDetails(packed);
    const response = this.#response();
    response.setError(error);
    return response;
  }

  #response(): BatchAppendResponse {
    const response = new streams.BatchAppendResp();
    response.setCorrelationId(this.#correlationId);
    response.setStreamIdentifier(this.#identifier());
    return response;
  }

  #identifier(): StreamIdentifier {
    const identifier = new shared.StreamIdentifier();
    identifier.setStreamName(Buffer.from(this.stream, 'utf8'));
    return identifier;
  }
}

import type { EventStoreDBClient } from '@eventstore/db-client';
import sharedMessages from '@eventstore/db-client/generated/shared_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streamsMessages from '@eventstore/db-client/generated/streams_pb.js';
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { WrongExpectedVersionError } from '@eventstore/db-client';
import uuids from '@eventstore/db-client/dist/utils/grpcUUID.js';
import unpacking from '@eventstore/db-client/dist/streams/appendToStream/unpackError.js';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import timestamps from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { EventStoreError, NO_STREAM, START, type Position, type Revision } from '#event-store';
import type { SerializedAppend } from '../src/arguments.js';
import { internalsOf } from './connection.js';
import { appendFailure, Stalled } from './errors.js';
import { formatPosition } from './positions.js';

/** Appends that wait for their answer: more are refused. */
export const MAX_WAITING_APPENDS = 1_024;
export const MAX_WAITING_BYTES = 64 * 1_024 * 1_024;

export type Appended = { ok: true; revision: Revision; position: Position } | { ok: false; actual: Revision };

type Wire = ClientDuplexStream<BatchAppendReq, BatchAppendResp>;

interface Waiting {
  wire: Wire;
  /** How much the wire had answered when this was sent on it. */
  answersBefore: number;
  timer: NodeJS.Timeout;
  resolve(answer: Appended): void;
  reject(error: EventStoreError): void;
}

/**
 * Appends over the client's connection. They go the same way as the client's `appendToStream` goes, in one long call, but with a
 * table of their own for what waits: the client has one for the whole process, from which the end of any call strikes out the
 * appends of every other, has no deadline for an answer that never comes, and fails beyond rescue when one comes too late.
 */
export class Appends {
  private readonly waiting = new Map<string, Waiting>();
  private readonly answers = new WeakMap<Wire, number>();
  private readonly over = new WeakSet<Wire>();
  private newest: Wire | undefined;
  private readonly open: () => Promise<Wire>;
  private appends = 0;
  private bytes = 0;

  constructor(
    client: EventStoreDBClient,
    private readonly deadlineMs: number,
  ) {
    const internals = internalsOf(client);
    this.open = internals.GRPCStreamCreator(
      streamsService.StreamsClient,
      'appendToStream',
      (service) => {
        const [metadata, options] = internals.callArguments({ requiresLeader: true }, { deadline: Infinity });
        return this.listen(service.batchAppend(metadata, options));
      },
      new WeakMap(),
    );
  }

  /** @throws {EventStoreError} as the port says. */
  async append(stream: string, expected: Revision | 'any', serialized: SerializedAppend): Promise<Appended> {
    const { bytes } = serialized;
    if (this.appends >= MAX_WAITING_APPENDS || this.bytes + bytes > MAX_WAITING_BYTES) {
      throw new EventStoreError('UNAVAILABLE', `${this.appends} appends are waiting for the event store already`);
    }
    this.appends += 1;
    this.bytes += bytes;
    try {
      return await this.send(await this.connected(), stream, expected, serialized);
    } finally {
      this.appends -= 1;
      this.bytes -= bytes;
    }
  }

  private send(wire: Wire, stream: string, expected: Revision | 'any', serialized: SerializedAppend): Promise<Appended> {
    const correlation = randomUUID();
    return new Promise<Appended>((resolve, reject) => {
      const timer = setTimeout(() => this.giveUp(correlation), this.deadlineMs);
      this.waiting.set(correlation, { wire, answersBefore: this.answers.get(wire) ?? 0, timer, resolve, reject });
      wire.write(requestOf(correlation, stream, expected, serialized, this.deadlineMs));
    });
  }

  /** Whatever fails here fails before anything was sent. */
  private async connected(): Promise<Wire> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Stalled(`no connection within ${this.deadlineMs} ms`)), this.deadlineMs);
    });
    try {
      for (;;) {
        const wire = await Promise.race([this.open(), late]);
        if (!this.over.has(wire)) return wire;
        // The client is about to notice that this call is over, and opens another one then.
        await Promise.race([nextTurn(), late]);
      }
    } catch (error) {
      throw appendFailure(error, false);
    } finally {
      clearTimeout(timer);
    }
  }

  private listen(wire: Wire): Wire {
    wire.on('data', (response: BatchAppendResp) => this.receive(wire, response));
    wire.on('error', (error: Error) => this.lost(wire, error));
    wire.on('end', () => this.lost(wire, new Stalled('the event store ended the call')));
    // The client has changed to another connection: what was sent on the former one is still answered, and then it ends.
    this.newest?.end();
    this.newest = wire;
    return wire;
  }

  private receive(wire: Wire, response: BatchAppendResp): void {
    this.answers.set(wire, (this.answers.get(wire) ?? 0) + 1);
    const waiting = this.take(uuids.parseUUID(response.getCorrelationId()) ?? '');
    if (waiting === undefined) return;
    const answer = answerOf(response);
    if (answer instanceof Error) waiting.reject(appendFailure(answer, true));
    else waiting.resolve(answer);
  }

  private lost(wire: Wire, error: Error): void {
    this.over.add(wire);
    for (const [correlation, { wire: sentOn }] of this.waiting) {
      if (sentOn === wire) this.take(correlation)?.reject(appendFailure(error, true));
    }
  }

  /** No answer in time. If the wire gave none at all since then, it is of no use to the others either. */
  private giveUp(correlation: string): void {
    const waiting = this.take(correlation);
    if (waiting === undefined) return;
    const { wire, answersBefore } = waiting;
    waiting.reject(appendFailure(new Stalled(`no answer within ${this.deadlineMs} ms`), true));
    if ((this.answers.get(wire) ?? 0) === answersBefore) wire.cancel();
  }

  private take(correlation: string): Waiting | undefined {
    const waiting = this.waiting.get(correlation);
    if (waiting === undefined) return undefined;
    this.waiting.delete(correlation);
    clearTimeout(waiting.timer);
    return waiting;
  }
}

function answerOf(response: BatchAppendResp): Appended | Error {
  const success = response.getSuccess();
  if (success !== undefined) {
    const at = success.getPosition();
    const position =
      at === undefined
        ? START
        : formatPosition({ commit: BigInt(at.getCommitPosition()), prepare: BigInt(at.getPreparePosition()) });
    return { ok: true, revision: success.hasNoStream() ? NO_STREAM : Number(success.getCurrentRevision()), position };
  }
  const status = response.getError();
  if (status?.getDetails() === undefined) return new Error(status?.getMessage() || 'the event store gave no reason');
  const stream = Buffer.from(response.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8');
  const error = unpacking.unpackToCommandError(status, stream);
  if (!(error instanceof WrongExpectedVersionError)) return error;
  const { actualVersion } = error;
  return { ok: false, actual: typeof actualVersion === 'bigint' ? Number(actualVersion) : NO_STREAM };
}

function requestOf(
  correlation: string,
  stream: string,
  expected: Revision | 'any',
  serialized: SerializedAppend,
  deadlineMs: number,
): BatchAppendReq {
  const options = new streamsMessages.BatchAppendReq.Options();
  const identifier = new sharedMessages.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream, 'utf8'));
  options.setStreamIdentifier(identifier);
  options.setDeadline(timestamps.Timestamp.fromDate(new Date(Date.now() + deadlineMs)));
  const empty = new sharedMessages.Empty() as never;
  if (expected === 'any') options.setAny(empty);
  else if (expected === NO_STREAM) options.setNoStream(empty);
  else options.setStreamPosition(String(expected));
  const request = new streamsMessages.BatchAppendReq();
  request.setCorrelationId(uuids.createUUID(correlation));
  request.setOptions(options);
  request.setProposedMessagesList(serialized.ids.map((_, index) => proposedOf(serialized, index)));
  request.setIsFinal(true);
  return request;
}

function proposedOf({ ids, types, data, metadata }: SerializedAppend, index: number): BatchAppendReq.ProposedMessage {
  const message = new streamsMessages.BatchAppendReq.ProposedMessage();
  message.setId(uuids.createUUID(ids[index] as string));
  message
    .getMetadataMap()
    .set('type', types[index] as string)
    .set('content-type', 'application/json');
  message.setData(Buffer.from(data[index] as string, 'utf8'));
  message.setCustomMetadata(Buffer.from(metadata[index] as string, 'utf8'));
  return message;
}

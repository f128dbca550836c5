/** `Streams.Append` and `Streams.BatchAppend`: the two ways in which clients append. */
import type { sendUnaryData, ServerDuplexStream, ServerReadableStream } from '@grpc/grpc-js';
import type { AppendReq, AppendResp, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { after, before, errorOf, refusalOf, type Node } from './calls.js';
import { appendResponse, BatchAnswer, expectedOf, proposalOf, sizeOf, textOf } from './append-messages.js';
import { checkProposal, type BatchRequest } from './batch-request.js';
import type { EventLog, Expected } from './log.js';
import { MAX_APPEND_BYTES, rpcErrors, type RpcError } from './rpc-errors.js';
import type { Proposal } from './wire.js';

type AppendCall = ServerReadableStream<AppendReq, AppendResp>;
type BatchCall = ServerDuplexStream<BatchRequest, BatchAppendResp>;

/** A node gives a write this long, whatever the client would grant. */
const WRITE_TIMEOUT_MS = 2_000;

export function appendHandler(node: Node, log: EventLog) {
  return (call: AppendCall, callback: sendUnaryData<AppendResp>): void => {
    void append(node, log, call).then(
      (response) => response !== undefined && callback(null, response),
      (error: unknown) => callback(isRpcError(error) ? error : rpcErrors.unknown(String(error))),
    );
  };
}

async function append(node: Node, log: EventLog, call: AppendCall): Promise<AppendResp | undefined> {
  const refusal = refusalOf(node, call, 'unaryAppend');
  if (refusal !== undefined) throw refusal;
  const request = await receive(call);
  // A client that has gone before it had sent all events gets nothing written.
  if (request === undefined) return undefined;
  const { stream, expected, proposals } = request;
  const verdict = await before(node, call, 'unaryAppend', stream);
  if (verdict.kind === 'silent') return undefined;
  if (verdict.kind !== 'go') throw errorOf(verdict, 'Append');
  const outcome = log.append(stream, expected, proposals);
  if (outcome.kind === 'streamDeleted') throw rpcErrors.streamDeleted(stream);
  const answering = await after(node, call, 'unaryAppend', stream);
  if (answering.kind === 'silent') return undefined;
  if (answering.kind !== 'go') throw errorOf(answering, 'Append');
  return appendResponse(outcome, expected);
}

interface AppendRequest {
  stream: string;
  expected: Expected;
  proposals: Proposal[];
}

async function receive(call: AppendCall): Promise<AppendRequest | undefined> {
  let request: AppendRequest | undefined;
  let bytes = 0;
  let cancelled = false;
  call.on('cancelled', () => (cancelled = true));
  for await (const message of call as AsyncIterable<AppendReq>) {
    const options = message.getOptions();
    if (options !== undefined) {
      const expected = expectedOf(options, options.hasRevision() ? options.getRevision() : undefined);
      request = { stream: textOf(options.getStreamIdentifier()), expected, proposals: [] };
      continue;
    }
    const proposed = message.getProposedMessage();
    if (proposed === undefined || request === undefined) throw rpcErrors.invalidArgument('The first message has the options.');
    const proposal = proposalOf(proposed);
    checkProposal(proposal);
    bytes += sizeOf(proposal);
    if (bytes > MAX_APPEND_BYTES) throw rpcErrors.maxAppendSizeExceeded();
    request.proposals.push(proposal);
  }
  if (cancelled) return undefined;
  if (request === undefined) throw rpcErrors.invalidArgument('Options are missing.');
  return request;
}

/** An append of which more messages are to come. */
interface Pending {
  answer: BatchAnswer;
  stream: string;
  expected: Expected;
  proposals: Proposal[];
  bytes: number;
  timer: NodeJS.Timeout;
}

export function batchAppendHandler(node: Node, log: EventLog): (call: BatchCall) => void {
  return (call) => {
    const refusal = refusalOf(node, call, 'batchAppend');
    if (refusal !== undefined) return void call.emit('error', refusal);
    node.openCalls.set('batchAppend', (node.openCalls.get('batchAppend') ?? 0) + 1);
    new BatchAppends(node, log, call).start();
  };
}

class BatchAppends {
  readonly #pending = new Map<string, Pending>();
  #isOpen = true;
  #unanswered = 0;
  #isHalfClosed = false;

  constructor(
    private readonly node: Node,
    private readonly log: EventLog,
    private readonly call: BatchCall,
  ) {}

  start(): void {
    this.call.on('data', (message: BatchRequest) => this.#receive(message));
    this.call.on('end', () => {
      this.#isHalfClosed = true;
      this.#endWhenAnswered();
    });
    this.call.on('cancelled', () => this.#close());
    this.call.on('error', () => this.#close());
  }

  #receive(message: BatchRequest): void {
    const answer = new BatchAnswer(message.correlationId);
    try {
      const pending = this.#pendingOf(message, answer);
      if (pending === undefined) return;
      for (const proposal of message.proposals) {
        checkProposal(proposal);
        pending.bytes += sizeOf(proposal);
        pending.proposals.push(proposal);
      }
      if (pending.bytes > MAX_APPEND_BYTES) {
        this.#forget(answer.id);
        return this.#send(pending.answer.maxAppendSizeExceeded());
      }
      if (!message.isFinal) return;
      this.#forget(answer.id);
      this.#unanswered += 1;
      void this.#complete(pending)
        .catch(() => this.#send(pending.answer.of('full')))
        .finally(() => {
          this.#unanswered -= 1;
          this.#endWhenAnswered();
        });
    } catch (error) {
      this.#forget(answer.id);
      this.#send(answer.badRequest(isRpcError(error) ? error.details : String(error)));
    }
  }

  #pendingOf({ options }: BatchRequest, answer: BatchAnswer): Pending | undefined {
    if (options === undefined) return this.#pending.get(answer.id);
    const stream = textOf(options.getStreamIdentifier());
    answer.stream = stream;
    const expected = expectedOf(options, options.hasStreamPosition() ? options.getStreamPosition() : undefined);
    const deadlineMs = options.getDeadline()?.toDate().getTime() ?? Infinity;
    const timeoutMs = Math.min(deadlineMs - Date.now(), WRITE_TIMEOUT_MS);
    if (timeoutMs <= 0) {
      this.#send(answer.timeout());
      return undefined;
    }
    const timer = setTimeout(() => {
      this.#forget(answer.id);
      this.#send(answer.timeout());
    }, timeoutMs);
    const pending: Pending = { answer, stream, expected, proposals: [], bytes: 0, timer };
    this.#pending.set(answer.id, pending);
    return pending;
  }

  async #complete({ answer, stream, expected, proposals }: Pending): Promise<void> {
    const verdict = await before(this.node, this.call, 'batchAppend', stream);
    if (verdict.kind === 'silent') return;
    if (verdict.kind === 'fail') return this.#fail(verdict.error);
    if (verdict.kind !== 'go') return this.#send(answer.of(verdict.kind));
    const outcome = this.log.append(stream, expected, proposals);
    const answering = await after(this.node, this.call, 'batchAppend', stream);
    if (answering.kind === 'silent') return;
    if (answering.kind === 'fail') return this.#fail(answering.error);
    this.#send(answering.kind === 'go' ? answer.outcome(outcome, expected) : answer.of(answering.kind));
  }

  #send(response: BatchAppendResp): void {
    if (this.#isOpen) this.call.write(response);
  }

  /** Ends the call, and with it every append that it carries. */
  #fail(error: RpcError): void {
    if (this.#isOpen) this.call.emit('error', error);
  }

  #forget(id: string): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }

  #endWhenAnswered(): void {
    if (this.#isHalfClosed && this.#unanswered === 0 && this.#isOpen) {
      this.call.end();
      this.#close();
    }
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.node.openCalls.set('batchAppend', (this.node.openCalls.get('batchAppend') ?? 1) - 1);
    for (const id of this.#pending.keys()) this.#forget(id);
  }
}

function isRpcError(error: unknown): error is RpcError {
  return error instanceof Error && 'code' in error && 'details' in error;
}

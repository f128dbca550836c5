/** Calls as the services of the stand-in see them: who may call, what goes wrong on purpose, and answers that are streams. */
import type { Metadata, ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { Connections } from './connections.js';
import type { Fault, Faults, Method } from './faults.js';
import { rpcErrors, type RpcError } from './rpc-errors.js';

export type Role = 'leader' | 'follower' | 'readOnlyReplica';

/** What every service needs of the node. */
export interface Node {
  faults: Faults;
  connections: Connections;
  /** Name → password; undefined when anybody may do everything. */
  users: ReadonlyMap<string, string> | undefined;
  role: Role;
  /** Where the leader is, when this node is none and knows it. */
  leader: { host: string; port: number } | undefined;
  /** Calls that are open now, by method. */
  openCalls: Map<Method, number>;
  /** Events sent to readers so far. */
  eventsSent: number;
}

/** What a call and its fault come to: go on, end with an error, or say nothing at all. */
export type Verdict = { kind: 'go' } | { kind: 'fail'; error: RpcError } | { kind: 'busy' | 'full' | 'timeout' | 'silent' };

interface Call {
  metadata: Metadata;
  getPeer(): string;
}

const GO: Verdict = { kind: 'go' };

/** @returns undefined when the caller may go on. */
export function refusalOf(node: Node, call: Call, method: Method): RpcError | undefined {
  const denied = node.users === undefined ? undefined : accessRefusal(node.users, call.metadata);
  if (denied !== undefined) return denied;
  const needsLeader = isWrite(method) || call.metadata.get('requires-leader')[0] === 'true';
  if (node.role === 'leader' || !needsLeader) return undefined;
  return node.leader === undefined ? rpcErrors.noLeaderInfo() : rpcErrors.notLeader(node.leader);
}

function accessRefusal(users: ReadonlyMap<string, string>, metadata: Metadata): RpcError | undefined {
  const [header] = metadata.get('authorization');
  if (header === undefined) return rpcErrors.accessDenied();
  const [name = '', ...password] = Buffer.from(String(header).replace(/^Basic /, ''), 'base64')
    .toString('utf8')
    .split(':');
  return users.get(name) === password.join(':') ? undefined : rpcErrors.unauthenticated();
}

function isWrite(method: Method): boolean {
  return method === 'batchAppend' || method === 'unaryAppend' || method === 'delete' || method === 'tombstone';
}

/** What is to happen to a call before it does anything. */
export async function before(node: Node, call: Call, method: Method, stream: string): Promise<Verdict> {
  const fault = node.faults.take('before', method, stream);
  return fault === undefined ? GO : verdictOf(node, call, fault);
}

/** What is to happen to a call that has done what it was asked for. */
export async function after(node: Node, call: Call, method: Method, stream: string): Promise<Verdict> {
  const fault = node.faults.take('after', method, stream);
  return fault === undefined ? GO : verdictOf(node, call, fault);
}

async function verdictOf(node: Node, call: Call, { spec }: Fault): Promise<Verdict> {
  switch (spec.kind) {
    case 'refuse':
      return { kind: 'fail', error: rpcErrors.unavailable() };
    case 'notLeader':
      return { kind: 'fail', error: spec.leader === undefined ? rpcErrors.noLeaderInfo() : rpcErrors.notLeader(spec.leader) };
    case 'busy':
      return { kind: 'busy' };
    case 'diskFull':
      return { kind: 'full' };
    case 'timeoutBefore':
    case 'timeoutAfter':
      return { kind: 'timeout' };
    case 'dropBefore':
    case 'dropAfter':
      node.connections.drop(call.getPeer());
      return { kind: 'silent' };
    case 'silentBefore':
    case 'silentAfter':
      return { kind: 'silent' };
    default:
      await new Promise((resolve) => setTimeout(resolve, spec.delayMs ?? 0));
      return GO;
  }
}

/** The error that a verdict comes to in a call with one answer. */
export function errorOf(verdict: Exclude<Verdict, { kind: 'go' | 'silent' }>, operation: string): RpcError {
  if (verdict.kind === 'fail') return verdict.error;
  if (verdict.kind === 'busy') return rpcErrors.unavailable('Server Is Too Busy');
  if (verdict.kind === 'timeout') return rpcErrors.timeout(`${operation} timed out`);
  return rpcErrors.unknown(`Unexpected OperationResult: ${operation} could not be written`);
}

type Streaming = ServerWritableStream<never, unknown> | ServerDuplexStream<never, unknown>;

/** The answering side of a stream of events: writes pages, each only when the one before it is gone. */
export class Outlet {
  readonly ended: Promise<void>;
  isOpen = true;
  /** Events sent. */
  sent = 0;
  readonly #node: Node;
  readonly #call: Streaming;
  readonly #method: Method;
  readonly #stream: string;
  #end: () => void = () => {};
  /** What waits for a page to be written; the end of the call ends the waiting. */
  readonly #waiting = new Set<() => void>();

  constructor(node: Node, call: Streaming, method: Method, stream: string) {
    this.#node = node;
    this.#call = call;
    this.#method = method;
    this.#stream = stream;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    node.openCalls.set(method, (node.openCalls.get(method) ?? 0) + 1);
    call.on('cancelled', () => this.#closed());
    call.on('error', () => this.#closed());
  }

  /** How many events may be sent before a fault is due. */
  get room(): number {
    return this.#node.faults.eventsBefore(this.#method, this.#stream, this.sent);
  }

  /** Answers false when there is nobody left to send to. */
  async send(page: readonly Uint8Array[], events = 0): Promise<boolean> {
    if (events > 0 && !(await this.#passFaults())) return false;
    if (!this.isOpen || page.length === 0) return this.isOpen;
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      this.#call.write(page, () => {
        this.#waiting.delete(resolve);
        resolve();
      });
    });
    this.sent += events;
    this.#node.eventsSent += events;
    return this.isOpen;
  }

  finish(error?: RpcError): void {
    if (!this.isOpen) return;
    if (error !== undefined) this.#call.emit('error', error);
    else this.#call.end();
    this.#closed();
  }

  async #passFaults(): Promise<boolean> {
    const fault = this.#node.faults.take('streaming', this.#method, this.#stream, this.sent);
    if (fault === undefined) return true;
    if (fault.spec.kind === 'stall') await Promise.race([fault.removed, this.ended]);
    else if (fault.spec.kind === 'end')
      this.finish(rpcErrors.timeout('Consumer too slow to handle event. Client resubscription required.'));
    else {
      this.#node.connections.drop(this.#call.getPeer());
      this.#closed();
    }
    return this.isOpen;
  }

  #closed(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#node.openCalls.set(this.#method, (this.#node.openCalls.get(this.#method) ?? 1) - 1);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
    this.#end();
  }
}

/** `PersistentSubscriptions`: groups that are made, changed, asked about and deleted, and the consumers that read from them. */
import { randomUUID } from 'node:crypto';
import { status, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall } from '@grpc/grpc-js';
import type {
  CreateReq,
  DeleteReq,
  GetInfoReq,
  GetInfoResp,
  ListReq,
  ListResp,
  ReadReq,
  ReplayParkedReq,
  UpdateReq,
} from '@eventstore/db-client/generated/persistent_pb.js';
import persistent from '@eventstore/db-client/generated/persistent_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { idOf, textOf } from './append-messages.js';
import { before, errorOf, Outlet, refusalOf, type Node } from './calls.js';
import type { EventLog } from './log.js';
import { groupInfo, settingsOf, sourceOf } from './persistent-messages.js';
import { PersistentGroup, type Consumer } from './persistent-group.js';
import { rpcErrors, type RpcError } from './rpc-errors.js';
import { persistentResponse } from './wire.js';

type ReadCall = ServerDuplexStream<ReadReq, unknown>;
const ALL = '$all';
const ACTIONS = ['retry', 'park', 'retry', 'skip', 'stop'] as const;

interface GroupOptions {
  hasAll(): boolean;
  getStreamIdentifier(): InstanceType<typeof shared.StreamIdentifier> | undefined;
  getGroupName(): string;
}

export class PersistentSubscriptions {
  readonly #groups = new Map<string, PersistentGroup>();

  constructor(
    private readonly node: Node,
    private readonly log: EventLog,
  ) {
    log.onCommit(() => {
      for (const group of this.#groups.values()) group.pump();
    });
  }

  /** The handlers of the service. */
  handlers() {
    const empty = () => new shared.Empty();
    return {
      create: this.#unary((request: CreateReq) => this.#create(request) ?? new persistent.CreateResp()),
      update: this.#unary((request: UpdateReq) => this.#update(request) ?? new persistent.UpdateResp()),
      delete: this.#unary((request: DeleteReq) => this.#delete(request) ?? new persistent.DeleteResp()),
      getInfo: this.#unary((request: GetInfoReq) => this.#info(request)),
      replayParked: this.#unary((request: ReplayParkedReq) => this.#replay(request) ?? new persistent.ReplayParkedResp()),
      list: this.#unary((request: ListReq) => this.#list(request)),
      restartSubsystem: this.#unary(() => {
        for (const group of this.#groups.values()) group.end();
        return empty();
      }),
      read: (call: ReadCall) => this.#read(call),
    };
  }

  #unary<Request, Response>(answer: (request: Request) => Response) {
    return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
      const handle = async () => {
        const refusal = refusalOf(this.node, call, 'persistent');
        if (refusal !== undefined) throw refusal;
        const verdict = await before(this.node, call, 'persistent', '');
        if (verdict.kind === 'silent') return undefined;
        if (verdict.kind !== 'go') throw errorOf(verdict, 'Persistent subscription');
        return answer(call.request);
      };
      void handle().then(
        (response) => response !== undefined && callback(null, response),
        (error: RpcError) => callback(error),
      );
    };
  }

  #create(request: CreateReq): void {
    const options = request.getOptions();
    const settings = options?.getSettings();
    if (options === undefined || settings === undefined) throw rpcErrors.invalidArgument('Options are missing.');
    const identifier = options.getStream()?.getStreamIdentifier() ?? options.getStreamIdentifier();
    const stream = options.hasAll() ? ALL : textOf(identifier);
    const name = options.getGroupName();
    if (this.#groups.has(keyOf(stream, name))) {
      const exists = 'persistent-subscription-exists';
      throw rpcErrors.group(status.ALREADY_EXISTS, exists, stream, name, 'exists.');
    }
    const { source, startFrom } = sourceOf(this.log, options, stream);
    const group = new PersistentGroup(stream, name, settingsOf(settings, startFrom), source);
    this.#groups.set(keyOf(stream, name), group);
  }

  #update(request: UpdateReq): void {
    const options = request.getOptions();
    const settings = options?.getSettings();
    if (options === undefined || settings === undefined) throw rpcErrors.invalidArgument('Options are missing.');
    const identifier = options.getStream()?.getStreamIdentifier() ?? options.getStreamIdentifier();
    const group = this.#find(options.hasAll() ? ALL : textOf(identifier), options.getGroupName());
    group.settings = settingsOf(settings, String(group.settings.told['startFrom']));
    group.end();
  }

  #delete(request: DeleteReq): void {
    const group = this.#groupOf(request.getOptions());
    this.#groups.delete(keyOf(group.stream, group.name));
    group.end();
  }

  #info(request: GetInfoReq): GetInfoResp {
    const response = new persistent.GetInfoResp();
    response.setSubscriptionInfo(groupInfo(this.#groupOf(request.getOptions())));
    return response;
  }

  #replay(request: ReplayParkedReq): void {
    const options = request.getOptions();
    const count = options?.hasStopAt() ? Number(options.getStopAt()) : Infinity;
    this.#groupOf(options).replayParked(count);
  }

  #list(request: ListReq): ListResp {
    const only = request.getOptions()?.getListForStream();
    const stream = only === undefined ? undefined : only.hasAll() ? ALL : textOf(only.getStream());
    const groups = [...this.#groups.values()].filter((group) => stream === undefined || group.stream === stream);
    if (groups.length === 0 && stream !== undefined) throw doesNotExist(stream, '');
    const response = new persistent.ListResp();
    response.setSubscriptionsList(groups.map(groupInfo));
    return response;
  }

  #groupOf(options: GroupOptions | undefined): PersistentGroup {
    if (options === undefined) throw rpcErrors.invalidArgument('Options are missing.');
    return this.#find(options.hasAll() ? ALL : textOf(options.getStreamIdentifier()), options.getGroupName());
  }

  #find(stream: string, name: string): PersistentGroup {
    const group = this.#groups.get(keyOf(stream, name));
    if (group === undefined) throw doesNotExist(stream, name);
    return group;
  }

  #read(call: ReadCall): void {
    let consumer: Consumer | undefined;
    let group: PersistentGroup | undefined;
    call.on('data', (request: ReadReq) => {
      try {
        const options = request.getOptions();
        if (options !== undefined && consumer === undefined) {
          group = this.#groupOf(options);
          consumer = this.#join(call, group, options.getBufferSize());
        } else if (group !== undefined && consumer !== undefined) settle(group, consumer, request);
      } catch (error) {
        call.emit('error', error);
      }
    });
    call.on('end', () => call.end());
  }

  #join(call: ReadCall, group: PersistentGroup, bufferSize: number): Consumer {
    const refusal = refusalOf(this.node, call, 'persistent');
    if (refusal !== undefined) throw refusal;
    const { stream, name } = group;
    if (group.isFull) {
      const full = 'maximum-subscribers-reached';
      throw rpcErrors.group(status.FAILED_PRECONDITION, full, stream, name, 'has as many subscribers as it may have.');
    }
    const outlet = new Outlet(this.node, call as never, 'persistent', stream);
    const consumer: Consumer = {
      name: String(call.metadata.get('connection-name')[0] ?? ''),
      bufferSize,
      inFlight: new Map(),
      sent: 0,
      // No more than the consumer's buffer is on its way at any time.
      send: ({ event, retryCount }) => void outlet.send([persistentResponse(event.recorded, event.position, retryCount)], 1),
      end: (reason) => {
        const dropped = 'persistent-subscription-dropped';
        outlet.finish(
          reason === 'stopped' ? undefined : rpcErrors.group(status.CANCELLED, dropped, stream, name, 'was dropped.'),
        );
      },
    };
    void outlet.ended.then(() => group.leave(consumer));
    void outlet.send([confirmation(stream, name)]);
    group.join(consumer);
    return consumer;
  }
}

function settle(group: PersistentGroup, consumer: Consumer, request: ReadReq): void {
  const ack = request.getAck();
  const nack = request.getNack();
  if (ack !== undefined) group.acknowledge(consumer, ack.getIdsList().map(idOf));
  if (nack !== undefined) group.refuse(consumer, nack.getIdsList().map(idOf), ACTIONS[nack.getAction()] ?? 'retry');
}

function confirmation(stream: string, group: string): Uint8Array {
  const message = new persistent.ReadResp.SubscriptionConfirmation();
  message.setSubscriptionId(`${stream}::${group}::${randomUUID()}`);
  const response = new persistent.ReadResp();
  response.setSubscriptionConfirmation(message);
  return response.serializeBinary();
}

function doesNotExist(stream: string, group: string): RpcError {
  return rpcErrors.group(status.NOT_FOUND, 'persistent-subscription-does-not-exist', stream, group, 'does not exist.');
}

function keyOf(stream: string, group: string): string {
  return `${stream}::${group}`;
}

/**
 * A stand-in for an EventStoreDB 24.10 node, for tests: a gRPC server that serves the client's own service definitions, keeps
 * its events in memory, and goes wrong when it is told to.
 *
 *   const node = await startStandIn();                  // or { port, host, file, seed, users, tls, role }
 *   const client = EventStoreDBClient.connectionString(node.url);
 *   node.faults.add({ kind: 'dropAfter', method: 'append', stream: 'ledger-shop/partner' });   // once, see faults.ts
 *   node.faults.add({ kind: 'stall', method: 'subscribe', afterEvents: 10, times: Infinity });
 *   node.faults.clockSkewMs = 60_000;
 *   await node.restart();                               // all connections cut, same port, events kept
 *   await node.down(); await node.up();                 // the same with time in between
 *   await node.stop();
 *
 * Alone: `npm run stand-in -- --port 2113`. What it does is what `conformance/eventstoredb.test.mjs` says a real node does.
 */
import { ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import { PersistentSubscriptionsService } from '@eventstore/db-client/generated/persistent_grpc_pb.js';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { appendHandler, batchAppendHandler } from './append-service.js';
import { decodeBatchRequest } from './batch-request.js';
import type { Node, Role } from './calls.js';
import { Connections } from './connections.js';
import { deleteHandler, tombstoneHandler } from './delete-service.js';
import { Faults, type Method } from './faults.js';
import { clusterInfo, supportedMethods } from './information-service.js';
import { LogFile } from './log-file.js';
import { EventLog } from './log.js';
import { PersistentSubscriptions } from './persistent-service.js';
import { readHandler } from './read-service.js';

export type { Fault, FaultKind, FaultSpec, Faults } from './faults.js';

export interface StandInOptions {
  /** 0, the default, is any that is free. */
  port?: number;
  host?: string;
  /** Keeps the events in this file as well, so that a node started with it later has them. */
  file?: string;
  /** The file is flushed to the disk before an append is acknowledged. */
  flush?: boolean;
  /** Of the faults that happen by chance. */
  seed?: number;
  /** Name → password. Clients send credentials over TLS only. */
  users?: Record<string, string>;
  tls?: { key: string; certificate: string };
  role?: Role;
  leader?: { host: string; port: number };
}

export interface StandIn {
  /** Connection string, without credentials. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly faults: Faults;
  readonly log: EventLog;
  role: Role;
  leader: { host: string; port: number } | undefined;
  /** Calls that are open now: streams of events, and the calls that carry appends. */
  openCalls(method: Method): number;
  readonly connections: number;
  /** Events sent to readers so far. */
  readonly eventsSent: number;
  /** Cuts all connections; new ones are taken at once. */
  dropConnections(): void;
  /** As when the process is killed: connections are cut, new ones refused. What was committed is kept. */
  down(): Promise<void>;
  up(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const { host = '127.0.0.1', port = 0, tls, file, flush } = options;
  const faults = new Faults(options.seed);
  const log = new EventLog(() => Date.now() + faults.clockSkewMs, file === undefined ? undefined : new LogFile(file, flush));
  const connections = new Connections(host, port, credentialsOf(tls));
  const node: Node = {
    faults,
    connections,
    users: options.users && new Map(Object.entries(options.users)),
    role: options.role ?? 'leader',
    leader: options.leader,
    openCalls: new Map(),
    eventsSent: 0,
  };
  serve(node, log, host);
  await connections.open();
  return new RunningNode(node, log, host, tls !== undefined);
}

function credentialsOf(tls: StandInOptions['tls']): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) };
  return ServerCredentials.createSsl(null, [pair]);
}

function serve(node: Node, log: EventLog, host: string): void {
  const { grpc } = node.connections;
  // What is read is encoded already.
  const asItIs = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const read = { ...StreamsService.read, responseSerialize: asItIs };
  grpc.addService(
    {
      ...StreamsService,
      read,
      batchAppend: { ...StreamsService.batchAppend, requestDeserialize: decodeBatchRequest },
    } as unknown as ServiceDefinition,
    {
      read: readHandler(node, log),
      append: appendHandler(node, log),
      batchAppend: batchAppendHandler(node, log),
      delete: deleteHandler(node, log),
      tombstone: tombstoneHandler(node, log),
    } as UntypedServiceImplementation,
  );
  const persistentRead = { ...PersistentSubscriptionsService.read, responseSerialize: asItIs };
  grpc.addService(
    { ...PersistentSubscriptionsService, read: persistentRead } as unknown as ServiceDefinition,
    new PersistentSubscriptions(node, log).handlers() as unknown as UntypedServiceImplementation,
  );
  grpc.addService(ServerFeaturesService, { getSupportedMethods: supportedMethods(node) } as UntypedServiceImplementation);
  grpc.addService(GossipService, { read: clusterInfo(node, host) } as UntypedServiceImplementation);
}

class RunningNode implements StandIn {
  readonly faults: Faults;

  constructor(
    private readonly node: Node,
    readonly log: EventLog,
    readonly host: string,
    private readonly isSecure: boolean,
  ) {
    this.faults = node.faults;
  }

  get url(): string {
    return `esdb://${this.host}:${this.port}?tls=${this.isSecure}`;
  }

  get port(): number {
    return this.node.connections.port;
  }

  get connections(): number {
    return this.node.connections.count;
  }

  get eventsSent(): number {
    return this.node.eventsSent;
  }

  get role(): Role {
    return this.node.role;
  }

  set role(role: Role) {
    this.node.role = role;
  }

  get leader(): { host: string; port: number } | undefined {
    return this.node.leader;
  }

  set leader(leader: { host: string; port: number } | undefined) {
    this.node.leader = leader;
  }

  openCalls(method: Method): number {
    return this.node.openCalls.get(method) ?? 0;
  }

  dropConnections(): void {
    this.node.connections.dropAll();
  }

  async down(): Promise<void> {
    await this.node.connections.close();
  }

  async up(): Promise<void> {
    this.log.restarted();
    await this.node.connections.open();
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  async stop(): Promise<void> {
    this.faults.clear();
    await this.down();
    this.node.connections.grpc.forceShutdown();
    this.log.close();
  }
}

/** What a node says about itself: the calls that it knows, and the members of its cluster. */
import { randomUUID } from 'node:crypto';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type { Empty } from '@eventstore/db-client/generated/shared_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { before, errorOf, type Node, type Role } from './calls.js';
import type { Method } from './faults.js';

const VERSION = '24.10.0.0';
const TO_ALL = ['stream', 'all'];
const SUPPORTED: readonly [service: string, method: string, features?: readonly string[]][] = [
  ['streams.streams', 'append'],
  ['streams.streams', 'batchappend'],
  ['streams.streams', 'read', ['position', 'events']],
  ['streams.streams', 'delete'],
  ['streams.streams', 'tombstone'],
  ['persistent_subscriptions.persistentsubscriptions', 'create', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'update', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'delete', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'read', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'getinfo', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'replayparked', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'list', TO_ALL],
  ['persistent_subscriptions.persistentsubscriptions', 'restartsubsystem'],
  ['gossip.gossip', 'read'],
];

const { VNodeState } = gossip.MemberInfo;
const STATES: Record<Role, gossipState> = {
  leader: VNodeState.LEADER,
  follower: VNodeState.FOLLOWER,
  readOnlyReplica: VNodeState.READONLYREPLICA,
};
type gossipState = Parameters<InstanceType<typeof gossip.MemberInfo>['setState']>[0];

type Call = ServerUnaryCall<Empty, unknown>;

export function supportedMethods(node: Node) {
  return (call: Call, callback: sendUnaryData<SupportedMethods>): void => {
    void unlessFault(node, call, 'features', callback, () => {
      const message = new features.SupportedMethods();
      message.setEventStoreServerVersion(VERSION);
      for (const [service, method, list] of SUPPORTED) {
        const supported = new features.SupportedMethod();
        supported.setServiceName(`event_store.client.${service}`);
        supported.setMethodName(method);
        supported.setFeaturesList([...(list ?? [])]);
        message.addMethods(supported);
      }
      return message;
    });
  };
}

export function clusterInfo(node: Node, host: string) {
  const instanceId = randomUUID();
  return (call: Call, callback: sendUnaryData<ClusterInfo>): void => {
    void unlessFault(node, call, 'gossip', callback, () => {
      const info = new gossip.ClusterInfo();
      info.addMembers(member(instanceId, STATES[node.role], host, node.connections.port));
      if (node.role !== 'leader' && node.leader !== undefined) {
        info.addMembers(member(randomUUID(), VNodeState.LEADER, node.leader.host, node.leader.port));
      }
      return info;
    });
  };
}

function member(id: string, state: gossipState, host: string, port: number): InstanceType<typeof gossip.MemberInfo> {
  const uuid = new shared.UUID();
  uuid.setString(id);
  const endpoint = new gossip.EndPoint();
  endpoint.setAddress(host);
  endpoint.setPort(port);
  const message = new gossip.MemberInfo();
  message.setInstanceId(uuid);
  message.setTimeStamp(String(Date.now() * 10_000));
  message.setState(state);
  message.setIsAlive(true);
  message.setHttpEndPoint(endpoint);
  return message;
}

async function unlessFault<T>(
  node: Node,
  call: Call,
  method: Method,
  callback: sendUnaryData<T>,
  answer: () => T,
): Promise<void> {
  const verdict = await before(node, call, method, '');
  if (verdict.kind === 'silent') return;
  if (verdict.kind === 'go') callback(null, answer());
  else callback(errorOf(verdict, method));
}

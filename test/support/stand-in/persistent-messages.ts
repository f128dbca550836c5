/** The messages of persistent subscriptions: where a group starts, its settings, and what is told about it. */
import type { CreateReq, SubscriptionInfo, UpdateReq } from '@eventstore/db-client/generated/persistent_pb.js';
import persistent from '@eventstore/db-client/generated/persistent_pb.js';
import type { EventLog } from './log.js';
import type { GroupSettings, GroupSource, PersistentGroup } from './persistent-group.js';
import { filterOf, firstVisible, positionOf, type Accepts } from './sources.js';

const STRATEGIES = ['DispatchToSingle', 'RoundRobin', 'Pinned'] as const;
const DEFAULT_MESSAGE_TIMEOUT_MS = 30_000;
const ALL = '$all';

type Options = CreateReq.Options;

/** Where the group begins, and how that is told to who asks. */
export function sourceOf(log: EventLog, options: Options, stream: string): { source: GroupSource; startFrom: string } {
  const all = options.getAll();
  if (all !== undefined) {
    const from = positionOf(all);
    const filter = all.getFilter();
    const startFrom = from === 'start' ? 'C:0/P:0' : from === 'end' ? 'C:-1/P:-1' : `C:${from}/P:${from}`;
    return { source: allSource(log, from, filter === undefined ? () => true : filterOf(filter)), startFrom };
  }
  const from = revisionOf(options);
  return { source: streamSource(log, stream, from), startFrom: from === 'end' ? '-1' : String(from) };
}

function revisionOf(options: Options): bigint | 'end' {
  const stream = options.getStream();
  if (stream?.hasEnd()) return 'end';
  if (stream?.hasStart()) return 0n;
  const revision = BigInt(stream?.hasRevision() ? stream.getRevision() : (options.getSettings()?.getRevision() ?? 0));
  return revision > 0x7fff_ffff_ffff_ffffn ? 'end' : revision;
}

function streamSource(log: EventLog, name: string, from: bigint | 'end'): GroupSource {
  let index = from === 'end' ? (log.stream(name)?.events.length ?? 0) : Number(from);
  return {
    next() {
      const stream = log.stream(name);
      if (stream === undefined) return undefined;
      index = Math.max(index, firstVisible(stream));
      return index < stream.events.length ? stream.events[index++] : undefined;
    },
  };
}

function allSource(log: EventLog, from: number | 'start' | 'end', accepts: Accepts): GroupSource {
  let index = from === 'start' ? 0 : from === 'end' ? log.events.length : log.indexOf(from);
  return {
    next() {
      while (index < log.events.length) {
        const event = log.events[index++];
        if (event !== undefined && accepts(event)) return event;
      }
      return undefined;
    },
  };
}

export function settingsOf(settings: CreateReq.Settings | UpdateReq.Settings, startFrom: string): GroupSettings {
  return {
    maxRetryCount: settings.getMaxRetryCount(),
    messageTimeoutMs: settings.getMessageTimeoutMs() || DEFAULT_MESSAGE_TIMEOUT_MS,
    maxSubscriberCount: settings.getMaxSubscriberCount(),
    strategy: STRATEGIES[settings.getNamedConsumerStrategy()] ?? 'RoundRobin',
    told: {
      startFrom,
      resolveLinks: settings.getResolveLinks(),
      extraStatistics: settings.getExtraStatistics(),
      liveBufferSize: settings.getLiveBufferSize(),
      readBatchSize: settings.getReadBatchSize(),
      historyBufferSize: settings.getHistoryBufferSize(),
      checkpointAfterMs: settings.getCheckpointAfterMs(),
      minCheckpointCount: settings.getMinCheckpointCount(),
      maxCheckpointCount: settings.getMaxCheckpointCount(),
    },
  };
}

export function groupInfo(group: PersistentGroup): SubscriptionInfo {
  const { settings, consumers, lastKnown } = group;
  const { told } = settings;
  const info = new persistent.SubscriptionInfo();
  info.setEventSource(group.stream);
  info.setGroupName(group.name);
  info.setStatus('Live');
  info.setStartFrom(String(told['startFrom']));
  info.setResolveLinkTos(Boolean(told['resolveLinks']));
  info.setExtraStatistics(Boolean(told['extraStatistics']));
  info.setMessageTimeoutMilliseconds(settings.messageTimeoutMs);
  info.setMaxRetryCount(settings.maxRetryCount);
  info.setLiveBufferSize(Number(told['liveBufferSize']));
  info.setReadBatchSize(Number(told['readBatchSize']));
  info.setBufferSize(Number(told['historyBufferSize']));
  info.setCheckPointAfterMilliseconds(Number(told['checkpointAfterMs']));
  info.setMinCheckPointCount(Number(told['minCheckpointCount']));
  info.setMaxCheckPointCount(Number(told['maxCheckpointCount']));
  info.setMaxSubscriberCount(settings.maxSubscriberCount);
  info.setNamedConsumerStrategy(settings.strategy);
  info.setRetryBufferCount(group.retryCount);
  info.setParkedMessageCount(String(group.parked.length));
  info.setTotalItems(String(consumers.reduce((sum, { sent }) => sum + sent, 0)));
  info.setTotalInFlightMessages(consumers.reduce((sum, { inFlight }) => sum + inFlight.size, 0));
  if (lastKnown !== undefined) {
    const { position, revision } = lastKnown;
    info.setLastKnownEventPosition(group.stream === ALL ? `C:${position}/P:${position}` : String(revision));
  }
  info.setConnectionsList(
    consumers.map(({ name, bufferSize, inFlight, sent }) => {
      const connection = new persistent.SubscriptionInfo.ConnectionInfo();
      connection.setConnectionName(name);
      connection.setTotalItems(String(sent));
      connection.setAvailableSlots(bufferSize - inFlight.size);
      connection.setInFlightMessages(inFlight.size);
      return connection;
    }),
  );
  return info;
}

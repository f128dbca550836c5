import type { EventStoreDBClient } from '@eventstore/db-client';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStoreError, type RecordedEvent } from '#event-store';
import { serializeAppend } from '../src/arguments.js';
import type { Appends } from './appends.js';
import { followerSentence, isDenied, isNotLeader, isUnreachable, reasonOf } from './errors.js';
import { collect, onLeader } from './reads.js';
import { toRecorded } from './recorded.js';

const MAX_CHECK_MS = 7_000;
/** How gRPC puts it when there is no connection; what stands between is the reason. */
const UNCONNECTED = /^No connection established\. Last error: (?:Error: )?(.+?)\. Resolution note:/;
/** Not behind any prefix that is followed. */
const STREAM = 'startchecks';

export interface StartCheck {
  client: EventStoreDBClient;
  appends: Appends;
  hosts: string;
  streamPrefix: string;
  clock: () => number;
  clockToleranceMs: number;
  deadlineMs: number;
}

/**
 * Writes one event and reads it back: the store can be reached, knows the user, is the leader or leads to it, takes writes, and
 * its clock is ours. @throws {EventStoreError} with a message for the operator.
 */
export async function checkAtStart(check: StartCheck): Promise<void> {
  const over = new AbortController();
  const late = sleep(MAX_CHECK_MS, undefined, { signal: over.signal }).then(() => {
    throw new EventStoreError('UNAVAILABLE', `The event store at ${check.hosts} did not answer within ${MAX_CHECK_MS / 1_000} s`);
  });
  late.catch(() => undefined);
  try {
    await Promise.race([late, compareClocks(check)]);
  } finally {
    over.abort();
  }
}

async function compareClocks(check: StartCheck): Promise<void> {
  const sentAt = check.clock();
  const storedAt = await writeAndRead(check).catch((error: unknown) => {
    throw new EventStoreError('UNAVAILABLE', sentenceOf(error, check.hosts), { cause: error });
  });
  const answeredAt = check.clock();
  const aheadMs = sentAt - storedAt;
  const behindMs = storedAt - answeredAt;
  const offMs = Math.max(aheadMs, behindMs);
  if (offMs <= check.clockToleranceMs) return;
  throw new EventStoreError(
    'UNAVAILABLE',
    `The clock of this machine is ${(offMs / 1_000).toFixed(1)} s ${aheadMs > behindMs ? 'ahead of' : 'behind'} that of the event store ` +
      `at ${check.hosts}, and may be off by ${check.clockToleranceMs / 1_000} s at most: set both by the same time servers`,
  );
}

/** When the store wrote it, by its own clock. */
async function writeAndRead({ client, appends, streamPrefix, deadlineMs }: StartCheck): Promise<number> {
  const stream = `${streamPrefix}${STREAM}`;
  const id = randomUUID();
  // Asked before anything is written: a node that is not the leader names it, and the client changes to it.
  const read = (from: bigint) => client.readStream(stream, { fromRevision: from, maxCount: 1, requiresLeader: true });
  await onLeader(() => collect(read(0n), deadlineMs));
  const written = await appends.append(stream, 'any', serializeAppend([{ id, type: 'InstanceStarted', data: {}, metadata: {} }]));
  if (!written.ok) throw new Error('the event store refused an event without a reason');
  if (written.revision === 0) await keepOne(appends, stream);
  const found = (await onLeader(() => collect(read(BigInt(written.revision)), deadlineMs))).map(toRecorded)[0];
  return Date.parse(timeOf(found));
}

/** Where another instance has started since, only its event is kept: a newer one, which was written before it was read here, too. */
function timeOf(event: RecordedEvent | undefined): string {
  if (event === undefined) throw new Error('the event store does not give back what was written');
  return event.storedAt;
}

/** Only the newest of these is of use. Who may not say so to the store keeps them: one small event for each start. */
async function keepOne(appends: Appends, stream: string): Promise<void> {
  const metadata = { id: randomUUID(), type: '$metadata', data: { $maxCount: 1 }, metadata: {} };
  await appends.append(`$$${stream}`, 'any', serializeAppend([metadata])).catch(() => undefined);
}

function sentenceOf(error: unknown, hosts: string): string {
  const cause = error instanceof EventStoreError ? (error.cause ?? error) : error;
  if (isDenied(cause)) {
    return `The event store at ${hosts} refuses access: check user and password of the connection string, and that the user may read $all and write the ledger's streams`;
  }
  if (isNotLeader(cause))
    return `${followerSentence(cause, `The node at ${hosts}`)}; name the leader, or all nodes of the cluster`;
  const reason = reasonOf(cause);
  const question = isUnreachable(cause) ? ' (is the node running, and are host and port right?)' : '';
  return `The event store at ${hosts} cannot be used: ${UNCONNECTED.exec(reason)?.[1] ?? reason}${question}`;
}

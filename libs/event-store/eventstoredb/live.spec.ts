import { Transform } from 'node:stream';
import type { ResolvedEvent } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { Live, READ_AHEAD_EVENTS, type ClientSubscription } from './live.js';
import { formatPosition } from './positions.js';

const TIMES = { startMs: 1_000, silenceMs: 20 };
const neverAborted = new AbortController().signal;
const positionOf = (index: number) => ({ commit: BigInt(index), prepare: BigInt(index) });

/** A subscription as the client makes it: a transform that tells of checkpoints as soon as it sees them. */
function subscription() {
  let live: Live | undefined;
  let transformed = 0;
  const stream = new Transform({
    objectMode: true,
    highWaterMark: READ_AHEAD_EVENTS,
    transform(item: number | string, _encoding, next) {
      if (typeof item === 'string') {
        if (item.startsWith('checkpoint ')) live?.checkpoint(formatPosition(positionOf(Number(item.slice(11)))));
        else this.emit(item);
        return next();
      }
      transformed += 1;
      const event = {
        revision: BigInt(item),
        position: positionOf(item),
        created: new Date(0),
        isJson: true,
        data: {},
        streamId: 's',
      };
      next(null, { event } as unknown as ResolvedEvent);
    },
  });
  let unsubscribed = 0;
  const client = Object.assign(stream, { unsubscribe: async () => void (unsubscribed += 1) }) as unknown as ClientSubscription;
  live = new Live(client);
  return { stream, live, counts: () => ({ transformed, unsubscribed }) };
}

async function takeAll(live: Live, limit: number) {
  const steps: unknown[] = [];
  do {
    for (let arrived = live.take(limit); arrived !== undefined; arrived = live.take(limit)) {
      steps.push([
        arrived.events.map(({ revision }) => revision),
        arrived.searched ?? '',
        arrived.checkpoint ?? '',
        arrived.caughtUp,
      ]);
    }
  } while (await live.more(TIMES, neverAborted));
  return steps;
}

describe('a subscription of the client', () => {
  it('keeps checkpoints, and the word that history is over, behind the events that came before them', async () => {
    const { stream, live } = subscription();
    for (const item of ['confirmation', 1, 2, 3, 'checkpoint 4', 'caughtUp', 5, 'checkpoint 6']) stream.write(item);
    // All of it has passed through the client by now, and nothing was read.
    await live.more(TIMES, neverAborted);
    expect(await takeAll(live, 2)).toEqual([
      [[1, 2], '', '', false],
      [[3, 5], formatPosition(positionOf(4)), formatPosition(positionOf(6)), true],
    ]);
  });

  it('says when it fell behind, and when it caught up again', async () => {
    const { stream, live } = subscription();
    for (const item of ['confirmation', 'caughtUp', 1]) stream.write(item);
    expect(await takeAll(live, 10)).toEqual([[[1], '', '', true]]);
    stream.write('fellBehind');
    expect(await takeAll(live, 10)).toEqual([[[], '', '', false]]);
    stream.write('caughtUp');
    expect(await takeAll(live, 10)).toEqual([[[], '', '', true]]);
  });

  it('reads ahead no more than it may', async () => {
    const { stream, live, counts } = subscription();
    stream.write('confirmation');
    for (let index = 0; index < 3 * READ_AHEAD_EVENTS; index += 1) stream.write(index);
    await live.more(TIMES, neverAborted);
    live.take(1);
    await live.more(TIMES, neverAborted);
    expect(counts().transformed).toBeLessThanOrEqual(READ_AHEAD_EVENTS + 2);
  });

  it('gives what came before an error first', async () => {
    const { stream, live } = subscription();
    for (const item of ['confirmation', 1]) stream.write(item);
    await live.more(TIMES, neverAborted);
    stream.emit('error', new Error('dropped'));
    expect(live.take(10)?.events).toHaveLength(1);
    expect(() => live.take(10)).toThrow('dropped');
    expect(() => live.take(10)).toThrow('dropped');
  });

  it('that never begins is given up, one that is silent is told apart', async () => {
    await expect(subscription().live.more({ startMs: 10, silenceMs: 60_000 }, neverAborted)).rejects.toMatchObject({
      name: 'Stalled',
    });
    const { stream, live } = subscription();
    setImmediate(() => stream.write('confirmation'));
    expect(await live.more(TIMES, neverAborted)).toBe(true);
    expect(await live.more(TIMES, neverAborted)).toBe(false);
  });

  it('ends at the node when it is left', async () => {
    const { live, counts } = subscription();
    live.stop();
    expect(counts().unsubscribed).toBe(1);
    expect(() => live.take(1)).toThrow('ended');
  });
});

/** Subscriptions: history first, then what is committed, for as long as the client stays. */
import { randomUUID } from 'node:crypto';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Outlet } from './calls.js';
import type { EventLog, LogEvent } from './log.js';
import { rpcErrors } from './rpc-errors.js';
import { firstVisible, isYoungEnough, type Accepts } from './sources.js';
import { checkpointResponse, DELETED_STREAM } from './wire.js';

/** A reader that is live and gets this far behind is told so, and is caught up again. */
const LIVE_EVENTS = 1_024;
const PAGE_MESSAGES = 128;
const PAGE_BYTES = 262_144;
/** At most this many events are looked at before others get their turn. */
const CONSIDERED_EVENTS = 4_096;

interface Page {
  messages: Uint8Array[];
  events: number;
}

/** What is followed. Each call hands on the next page, perhaps an empty one. */
export interface Followed {
  next(room: number): Page;
  /** How many events there are that were not looked at yet. */
  behind(): number;
  /** What is sent when history has been delivered, before the word that it has. */
  checkpoint(): Uint8Array[];
  /** True when no event can come any more. */
  isDeleted(): boolean;
}

/** Sends a subscription until its client leaves. */
export async function follow(log: EventLog, outlet: Outlet, followed: Followed, stream: string): Promise<void> {
  const committed = new Signal();
  const unlisten = log.onCommit(() => committed.raise());
  void outlet.ended.then(() => committed.raise());
  try {
    await outlet.send([confirmation()]);
    let live = followed.behind() === 0;
    if (live) await outlet.send([CAUGHT_UP]);
    while (outlet.isOpen) {
      if (live && followed.behind() > LIVE_EVENTS) {
        live = false;
        await outlet.send([FELL_BEHIND]);
      }
      const page = followed.next(outlet.room);
      if (!(await outlet.send(page.messages, page.events))) return;
      if (followed.isDeleted()) return outlet.finish(rpcErrors.streamDeleted(stream));
      if (followed.behind() > 0) {
        if (page.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      if (!live) {
        live = true;
        await outlet.send([...followed.checkpoint(), CAUGHT_UP]);
      }
      if (followed.behind() === 0) await committed.raised();
    }
  } finally {
    unlisten();
  }
}

/** One stream, after a revision; `end` means only what is appended from now on. */
export function followStream(log: EventLog, name: string, after: bigint | 'start' | 'end'): Followed {
  const length = () => log.stream(name)?.events.length ?? 0;
  let index = after === 'start' ? 0 : after === 'end' ? length() : Number(after) + 1;
  let deleted = false;
  const isTombstoneDue = () => !deleted && (log.stream(name)?.tombstoned ?? false);
  return {
    next(room) {
      const page = new PageBuilder(room);
      const stream = log.stream(name);
      if (stream === undefined) return page;
      index = Math.max(index, firstVisible(stream));
      for (const now = Date.now(); index < stream.events.length && !page.isFull; index++) {
        const event = stream.events[index] as LogEvent;
        if (isYoungEnough(stream, event, now)) page.addEvent(event);
      }
      if (index >= stream.events.length && isTombstoneDue()) {
        deleted = true;
        page.addEvent(log.events.find((event) => event.stream === name && event.revision === DELETED_STREAM) as LogEvent);
      }
      return page;
    },
    behind: () => Math.max(0, length() - index) + (isTombstoneDue() ? 1 : 0),
    checkpoint: () => [],
    isDeleted: () => deleted,
  };
}

/** All events after a position. With an interval, a checkpoint is sent after so many events that were looked at. */
export function followAll(log: EventLog, after: number | 'start' | 'end', accepts: Accepts, interval?: number): Followed {
  let index = after === 'start' ? 0 : after === 'end' ? log.events.length : log.indexOf(after + 1);
  let considered = 0;
  const checkpointAt = (at: number) =>
    interval === undefined || at < 0 ? [] : [checkpointResponse((log.events[at] as LogEvent).position)];
  return {
    next(room) {
      const page = new PageBuilder(room);
      const end = Math.min(log.events.length, index + CONSIDERED_EVENTS);
      while (index < end && !page.isFull) {
        const event = log.events[index++] as LogEvent;
        if (accepts(event)) page.addEvent(event);
        if (interval === undefined || ++considered < interval) continue;
        considered = 0;
        page.addMessage(checkpointResponse(event.position));
      }
      return page;
    },
    behind: () => log.events.length - index,
    checkpoint: () => checkpointAt(index - 1),
    isDeleted: () => false,
  };
}

class PageBuilder implements Page {
  readonly messages: Uint8Array[] = [];
  events = 0;
  #bytes = 0;

  constructor(private readonly room: number) {}

  get isFull(): boolean {
    return this.messages.length >= PAGE_MESSAGES || this.#bytes >= PAGE_BYTES || this.events >= this.room;
  }

  addEvent({ response }: LogEvent): void {
    this.events += 1;
    this.addMessage(response);
  }

  addMessage(message: Uint8Array): void {
    this.messages.push(message);
    this.#bytes += message.length;
  }
}

/** Says that something has happened since it was last asked. */
class Signal {
  #isRaised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#isRaised = true;
    this.#wake?.();
  }

  async raised(): Promise<void> {
    if (!this.#isRaised) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#isRaised = false;
    this.#wake = undefined;
  }
}

function confirmation(): Uint8Array {
  const message = new streams.ReadResp.SubscriptionConfirmation();
  message.setSubscriptionId(randomUUID());
  const response = new streams.ReadResp();
  response.setConfirmation(message);
  return response.serializeBinary();
}

function response(change: (response: InstanceType<typeof streams.ReadResp>) => void): Uint8Array {
  const message = new streams.ReadResp();
  change(message);
  return message.serializeBinary();
}

const CAUGHT_UP = response((message) => message.setCaughtUp(new streams.ReadResp.CaughtUp()));
const FELL_BEHIND = response((message) => message.setFellBehind(new streams.ReadResp.FellBehind()));

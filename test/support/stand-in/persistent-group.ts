/**
 * A group of a persistent subscription: its events go to whichever of its consumers has room, come again when they are not
 * acknowledged, and are set aside when they come too often. What it knows is in memory: a node that starts again keeps its
 * groups and gives out again what was not acknowledged; a process that starts again has none.
 */
import type { LogEvent } from './log.js';

export interface GroupSettings {
  maxRetryCount: number;
  messageTimeoutMs: number;
  /** 0 is any number. */
  maxSubscriberCount: number;
  strategy: 'RoundRobin' | 'DispatchToSingle' | 'Pinned';
  /** What is only told again to who asks about the group. */
  told: Readonly<Record<string, number | boolean | string>>;
}

/** Where the events come from, in their order. */
export interface GroupSource {
  next(): LogEvent | undefined;
}

interface Message {
  event: LogEvent;
  retryCount: number;
}

export interface Consumer {
  readonly name: string;
  readonly bufferSize: number;
  readonly inFlight: Map<string, Message & { timer: NodeJS.Timeout }>;
  readonly send: (message: Message) => void;
  readonly end: (reason: 'dropped' | 'stopped') => void;
  sent: number;
}

/** Messages whose consumer is served first are looked for among at most so many events at a time. */
const SEARCHED_EVENTS = 4_096;

export class PersistentGroup {
  readonly stream: string;
  readonly name: string;
  settings: GroupSettings;
  readonly consumers: Consumer[] = [];
  readonly parked: Message[] = [];
  readonly #source: GroupSource;
  readonly #retries: Message[] = [];
  #nextConsumer = 0;
  #isPumping = false;
  /** Newest event that was taken from the source. */
  lastKnown: LogEvent | undefined;

  constructor(stream: string, name: string, settings: GroupSettings, source: GroupSource) {
    this.stream = stream;
    this.name = name;
    this.settings = settings;
    this.#source = source;
  }

  get retryCount(): number {
    return this.#retries.length;
  }

  get isFull(): boolean {
    const { maxSubscriberCount } = this.settings;
    return maxSubscriberCount > 0 && this.consumers.length >= maxSubscriberCount;
  }

  join(consumer: Consumer): void {
    this.consumers.push(consumer);
    this.pump();
  }

  leave(consumer: Consumer): void {
    const index = this.consumers.indexOf(consumer);
    if (index < 0) return;
    this.consumers.splice(index, 1);
    const messages = [...consumer.inFlight.values()];
    consumer.inFlight.clear();
    for (const { timer, ...message } of messages) {
      clearTimeout(timer);
      this.#retry(message);
    }
    this.pump();
  }

  acknowledge(consumer: Consumer, ids: readonly string[]): void {
    for (const id of ids) this.#take(consumer, id);
    this.pump();
  }

  refuse(consumer: Consumer, ids: readonly string[], action: 'park' | 'retry' | 'skip' | 'stop'): void {
    for (const id of ids) {
      const message = this.#take(consumer, id);
      if (message === undefined || action === 'skip') continue;
      if (action === 'park') this.parked.push(message);
      else this.#retry(message);
    }
    if (action === 'stop') consumer.end('stopped');
    this.pump();
  }

  /** Gives out again what was set aside, the oldest first. */
  replayParked(count: number): void {
    this.#retries.push(...this.parked.splice(0, count).map(({ event }) => ({ event, retryCount: 0 })));
    this.pump();
  }

  end(): void {
    for (const consumer of this.consumers) consumer.end('dropped');
  }

  /** Gives out what there is to whoever has room. */
  pump(): void {
    // Sending may bring an acknowledgement back before it returns.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (let searched = 0; searched < SEARCHED_EVENTS; searched++) {
        const consumer = this.#consumerWithRoom();
        const message = consumer && this.#next();
        if (consumer === undefined || message === undefined) return;
        this.#give(consumer, message);
      }
      setImmediate(() => this.pump());
    } finally {
      this.#isPumping = false;
    }
  }

  #next(): Message | undefined {
    const again = this.#retries.shift();
    if (again !== undefined) return again;
    const event = this.#source.next();
    if (event === undefined) return undefined;
    this.lastKnown = event;
    return { event, retryCount: 0 };
  }

  #consumerWithRoom(): Consumer | undefined {
    const { consumers } = this;
    const first = this.settings.strategy === 'RoundRobin' ? this.#nextConsumer : 0;
    for (let offset = 0; offset < consumers.length; offset++) {
      const index = (first + offset) % consumers.length;
      const consumer = consumers[index] as Consumer;
      if (consumer.inFlight.size >= consumer.bufferSize) continue;
      this.#nextConsumer = index + 1;
      return consumer;
    }
    return undefined;
  }

  #give(consumer: Consumer, message: Message): void {
    const { id } = message.event;
    const timer = setTimeout(() => {
      if (this.#take(consumer, id) === undefined) return;
      this.#retry(message);
      this.pump();
    }, this.settings.messageTimeoutMs);
    timer.unref();
    consumer.inFlight.set(id, { ...message, timer });
    consumer.sent += 1;
    consumer.send(message);
  }

  #take(consumer: Consumer, id: string): Message | undefined {
    const found = consumer.inFlight.get(id);
    if (found === undefined) return undefined;
    consumer.inFlight.delete(id);
    const { timer, ...message } = found;
    clearTimeout(timer);
    return message;
  }

  #retry({ event, retryCount }: Message): void {
    const message = { event, retryCount: retryCount + 1 };
    if (message.retryCount > this.settings.maxRetryCount) this.parked.push(message);
    else {
      this.#retries.push(message);
      this.#retries.sort((a, b) => a.event.position - b.event.position);
    }
  }
}

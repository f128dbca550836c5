/** Events that were given up, with those of the same binding that came later: the order of a binding holds. */
import { ledgerKey, type LedgerName } from '#domain';

export interface ParkedEvent {
  revision: number;
  /** As clients see it. */
  position: string;
  type: string;
  parkedAt: string;
}

/** A binding whose first parked event could not be handled. */
export interface ParkedBinding extends LedgerName {
  bindingId: string;
  recordId: string;
  /** Why the first event was given up, and when it was tried last. */
  error: string;
  triedAt: string;
  attempts: number;
  events: ParkedEvent[];
}

export interface BindingName extends LedgerName {
  bindingId: string;
}

/** The vault's document holds 256 KiB; some is left for what its JSON adds, and for numbers of attempts that grow. */
export const MAX_PARKED_BYTES = 240_000;
const MAX_ERROR_LENGTH = 300;

/** The subscriber cannot go on: what it would have to park has no place, and nothing is skipped. */
export class ParkingFull extends Error {
  override readonly name = 'ParkingFull';
}

const keyOf = (binding: BindingName): string => `${ledgerKey(binding)}#${binding.bindingId}`;

export class Parking {
  private readonly parked = new Map<string, ParkedBinding>();
  private bytes = 0;
  private count = 0;
  /** Grows with every change. */
  version = 0;

  constructor(
    private readonly maxEvents: number,
    bindings: readonly ParkedBinding[] = [],
  ) {
    for (const binding of bindings) {
      this.parked.set(keyOf(binding), binding);
      this.count += binding.events.length;
      this.bytes += sizeOf(binding);
    }
  }

  get events(): number {
    return this.count;
  }

  get full(): boolean {
    return this.count >= this.maxEvents || this.bytes >= MAX_PARKED_BYTES;
  }

  /** When the event was parked that has been for the longest. */
  get oldestAt(): string | null {
    let oldest: string | null = null;
    for (const { events } of this.parked.values())
      for (const { parkedAt } of events) if (oldest === null || parkedAt < oldest) oldest = parkedAt;
    return oldest;
  }

  all(): ParkedBinding[] {
    return [...this.parked.values()];
  }

  get(binding: BindingName): ParkedBinding | undefined {
    return this.parked.get(keyOf(binding));
  }

  /** Parks the event that failed. @throws {ParkingFull} */
  park(binding: Omit<ParkedBinding, 'events'>, event: ParkedEvent): void {
    const parked: ParkedBinding = { ...binding, error: cut(binding.error), events: [event] };
    this.admit(sizeOf(parked));
    this.parked.set(keyOf(binding), parked);
  }

  /** Parks an event behind the one of its binding that failed. @throws {ParkingFull} */
  append(parked: ParkedBinding, event: ParkedEvent): void {
    this.admit(sizeOf(event));
    parked.events.push(event);
  }

  /** The first event was tried again, in vain. What it says now takes the room that there is: nothing is lost but words. */
  failedAgain(parked: ParkedBinding, { error, triedAt, attempts }: Pick<ParkedBinding, 'error' | 'triedAt' | 'attempts'>): void {
    const before = sizeOf(parked);
    const room = bytesOf(parked.error) + Math.max(0, MAX_PARKED_BYTES - this.bytes);
    Object.assign(parked, { error: cutToBytes(cut(error), room), triedAt, attempts: parked.attempts + attempts });
    this.bytes += sizeOf(parked) - before;
    this.version += 1;
  }

  /** The first event was handled, or is to be left out. */
  shift(parked: ParkedBinding): void {
    this.bytes -= sizeOf(parked);
    parked.events.shift();
    this.count -= 1;
    this.version += 1;
    if (parked.events.length === 0) this.parked.delete(keyOf(parked));
    else this.bytes += sizeOf(parked);
  }

  clear(): void {
    this.parked.clear();
    [this.bytes, this.count] = [0, 0];
    this.version += 1;
  }

  private admit(bytes: number): void {
    if (this.count + 1 > this.maxEvents || this.bytes + bytes > MAX_PARKED_BYTES)
      throw new ParkingFull(
        `${this.count} events are parked, and there is no room for more: replay or skip some, then it goes on by itself`,
      );
    this.bytes += bytes;
    this.count += 1;
    this.version += 1;
  }
}

function sizeOf(value: object): number {
  return bytesOf(value) + 1;
}

function bytesOf(value: object | string): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function cut(text: string, length = MAX_ERROR_LENGTH): string {
  return text.length > length ? `${text.slice(0, length)} …` : text;
}

/** As much of the text as takes so many bytes in the document, where one character may take six. */
function cutToBytes(text: string, bytes: number): string {
  if (bytesOf(text) <= bytes) return text;
  let [fits, tooLong] = [-1, text.length];
  while (tooLong - fits > 1) {
    const length = (fits + tooLong) >> 1;
    if (bytesOf(cut(text, length)) <= bytes) fits = length;
    else tooLong = length;
  }
  return fits < 0 ? '' : cut(text, fits);
}

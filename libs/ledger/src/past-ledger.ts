/**
 * A whole ledger as it was, in one pass over its stream: backwards, since a binding's last event says whether it is wanted and
 * who holds what, and its creation is the end of it. Only bindings between the two are kept in memory. Where these are too
 * many, half of them are left to another pass.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  isBindingEvent,
  type Binding,
  type BindingEvent,
  type BindingState,
  type JsonObject,
  type RecordedLedgerEvent,
} from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import { readLedgerEvent } from './chain.js';
import { beginningWith, fill, finished, type PartOfBinding } from './past-states.js';

const EVENTS_PER_READ = 1_000;
/** Bindings that are waiting for their creation may take so much memory, by estimate, in one pass. */
export const MAX_OPEN_BYTES = 64 * 1_024 * 1_024;
const BYTES_OF_BINDING = 350;
const BYTES_OF_UNWANTED = 120;

export interface PastListing {
  /** Absent: live ones. */
  state?: BindingState | undefined;
  maxOpenBytes?: number;
}

/** Bindings after the event at a revision, each once, in no order that is promised. */
export async function* bindingsAt(
  store: EventStore,
  stream: string,
  revision: number,
  { state, maxOpenBytes = MAX_OPEN_BYTES }: PastListing = {},
): AsyncGenerator<Binding[]> {
  const shares: Share[] = [EVERYTHING];
  for (let share = shares.pop(); share !== undefined; share = shares.pop()) {
    const pass = new Pass(share, state);
    for (let before = revision + 1; before > 0;) {
      const page = await store.readStream(stream, { direction: 'backwards', after: before, limit: EVENTS_PER_READ });
      if (page.length === 0) throw new Error(`broken invariant: ${stream} has no events before revision ${before}`);
      before = page.at(-1)?.revision ?? 0;
      yield pass.take(page);
      if (pass.openBytes > maxOpenBytes && pass.canHalve) shares.push(pass.halve(before));
      // An embedded store answers without a pause, and other work of the process is to have its turn.
      await nextTurn();
    }
  }
}

/** Bindings whose ids have a hash that ends in certain bits, and were created before a revision: the others were told already. */
interface Share {
  mask: number;
  bits: number;
  createdBefore: number;
}
/** So many shares that each of a million bindings has its own. */
const MAX_MASK = 0xfffff;
const EVERYTHING: Share = { mask: 0, bits: 0, createdBefore: Infinity };

type BindingFact = RecordedLedgerEvent & BindingEvent;

/** A binding whose creation is still to come; without a part it is not wanted. */
interface OpenBinding {
  part?: PartOfBinding;
  bytes: number;
}

class Pass {
  /** Estimate of what is kept. */
  openBytes = 0;
  private readonly open = new Map<string, OpenBinding>();

  constructor(
    private share: Share,
    private readonly state: BindingState | undefined,
  ) {}

  get canHalve(): boolean {
    return this.open.size > 1 && this.share.mask < MAX_MASK;
  }

  /** Takes events from the newest to the oldest; answers the bindings that are complete with them. */
  take(page: readonly RecordedEvent[]): Binding[] {
    const done: Binding[] = [];
    for (const recorded of page) {
      const event = readLedgerEvent(recorded);
      if (!isBindingEvent(event) || !isIn(this.share, event.data.bindingId)) continue;
      const { bindingId } = event.data;
      const binding = this.open.get(bindingId) ?? this.begin(event);
      if (binding.part !== undefined) this.add(binding, binding.part, event);
      if (event.type !== 'BindingCreated') continue;
      this.close(bindingId, binding);
      if (binding.part !== undefined && event.revision < this.share.createdBefore) done.push(finished(binding.part));
    }
    return done;
  }

  /** Lets go of half of the bindings; answers them as what another pass has to do. */
  halve(toldFrom: number): Share {
    const { mask, bits, createdBefore } = this.share;
    const bit = mask + 1;
    this.share = { mask: mask | bit, bits, createdBefore };
    for (const [id, binding] of this.open) if (!isIn(this.share, id)) this.close(id, binding);
    return { mask: mask | bit, bits: bits | bit, createdBefore: Math.min(toldFrom, createdBefore) };
  }

  private begin(last: BindingFact): OpenBinding {
    const wanted = this.isWanted(last.data.state);
    const binding = wanted ? { part: beginningWith(last), bytes: BYTES_OF_BINDING } : { bytes: BYTES_OF_UNWANTED };
    if (binding.part?.data !== undefined) binding.bytes += bytesOf(binding.part.data);
    this.open.set(last.data.bindingId, binding);
    this.openBytes += binding.bytes;
    return binding;
  }

  private add(binding: OpenBinding, part: PartOfBinding, event: BindingFact): void {
    const hadData = part.data !== undefined;
    fill(part, event);
    if (hadData || part.data === undefined) return;
    const bytes = bytesOf(part.data);
    binding.bytes += bytes;
    this.openBytes += bytes;
  }

  private close(id: string, { bytes }: OpenBinding): void {
    this.open.delete(id);
    this.openBytes -= bytes;
  }

  private isWanted(state: BindingState): boolean {
    return this.state === undefined ? state !== 'unbound' : state === this.state;
  }
}

function isIn({ mask, bits }: Share, id: string): boolean {
  return mask === 0 || (hashOf(id) & mask) === bits;
}

/** FNV-1a: every bit depends on the whole id. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function bytesOf(data: JsonObject): number {
  return 2 * JSON.stringify(data).length;
}

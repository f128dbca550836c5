import {
  idempotencyRecordOf,
  isBindingEvent,
  scopedKey,
  stampOf,
  type BindingEvent,
  type BindingEventType,
  type EventMetadata,
  type IdempotencyRecord,
  type Stamp,
} from '#domain';
import type { DecisionKeys } from '#read-model';
import type { WrittenEvent } from './chain.js';
import { KeyTable } from './key-table.js';

type TailEvent = BindingEvent & Stamp;

const [RECORD, EXTERNAL_ID, BINDING, SCOPED_KEY] = [1, 2, 3, 4];
/** These leave the binding the keys that it had. */
const OF_THE_SAME_KEYS: ReadonlySet<string> = new Set(['SyncDateUpdated', 'BindingDataChanged']);
const BEFORE_BINDING_ID = '{"bindingId":"';

/**
 * A run of events, as texts and numbers: what is kept of them is kept longer than it takes to write them, by the ten thousand, and
 * as objects it would cost the garbage collector more than the deciding. A key that an event took from its binding is found still:
 * whoever finds it looks what the binding holds now.
 */
export class TailSegment {
  bytes = 0;
  /** By the place of the event in the segment. */
  private readonly types: string[] = [];
  private readonly data: string[] = [];
  private readonly times: string[] = [];
  private readonly versions: number[] = [];
  private readonly reasons = new Map<number, string>();
  /** Of events with an idempotency key. */
  private readonly metadata = new Map<number, string>();
  private readonly keys = new KeyTable();

  constructor(readonly firstRevision: number) {}

  get length(): number {
    return this.types.length;
  }

  get lastRevision(): number {
    return this.firstRevision + this.length - 1;
  }

  append(event: WrittenEvent): void {
    const place = this.length;
    const { at, reason, actor, idempotency } = event.fields;
    this.types.push(event.type);
    this.data.push(event.json.data);
    this.times.push(at);
    if (reason !== undefined) this.reasons.set(place, reason);
    if (!isBindingEvent(event)) {
      this.versions.push(0);
      return;
    }
    this.versions.push(event.data.version);
    this.index(event, place);
    if (idempotency === undefined) return;
    this.metadata.set(place, event.json.metadata);
    this.keys.add(SCOPED_KEY, scopedKey(actor, idempotency.key), place);
  }

  /** Takes out what stands behind a revision. */
  cutTo(head: number): void {
    const length = head - this.firstRevision + 1;
    if (length >= this.length) return;
    this.bytes = Math.round((this.bytes * length) / this.length);
    for (const of of [this.reasons, this.metadata]) for (const place of of.keys()) if (place >= length) of.delete(place);
    this.keys.cutFrom(length);
    this.types.length = this.data.length = this.times.length = this.versions.length = length;
  }

  /** Ids of the bindings that hold one of the keys at the end of the segment, or held it within, or are named. */
  addMatching({ recordIds, externalIds, bindingIds }: DecisionKeys, ids: Set<string>): void {
    const add = (kind: number, key: string) => {
      for (const place of this.keys.of(kind, key)) ids.add(bindingIdOf(this.data[place] as string));
    };
    for (const recordId of recordIds) add(RECORD, recordId);
    for (const externalId of externalIds) add(EXTERNAL_ID, externalId);
    for (const bindingId of bindingIds) add(BINDING, bindingId);
  }

  /** The type of the binding's first event here. */
  firstTypeOf(bindingId: string): BindingEventType | undefined {
    const place = this.placesOf(bindingId).at(-1);
    return place === undefined ? undefined : (this.types[place] as BindingEventType);
  }

  /** The binding's events here that made a later version than this of it. */
  eventsOf(bindingId: string, afterVersion: number): TailEvent[] {
    const later = this.placesOf(bindingId).filter((place) => (this.versions[place] as number) > afterVersion);
    return later.reverse().map((place) => this.eventAt(place));
  }

  remembered(wanted: string): IdempotencyRecord | undefined {
    for (const place of this.keys.of(SCOPED_KEY, wanted)) {
      const event = this.eventAt(place);
      const metadata = JSON.parse(this.metadata.get(place) as string) as EventMetadata;
      const { revision } = event;
      const record =
        metadata.idempotency && idempotencyRecordOf(event, stampOf({ revision, metadata }), metadata.actor, metadata.idempotency);
      if (record?.scopedKey === wanted) return record;
    }
    return undefined;
  }

  private index(event: BindingEvent, place: number): void {
    const { bindingId, recordId, externalId, state } = event.data;
    const known = OF_THE_SAME_KEYS.has(event.type) && this.keys.has(BINDING, bindingId);
    this.keys.add(BINDING, bindingId, place);
    if (state === 'unbound' || known) return;
    this.keys.add(RECORD, recordId, place);
    if (externalId !== null) this.keys.add(EXTERNAL_ID, externalId, place);
  }

  /** The newest first. */
  private placesOf(bindingId: string): number[] {
    return this.keys.of(BINDING, bindingId).filter((place) => bindingIdOf(this.data[place] as string) === bindingId);
  }

  private eventAt(place: number): TailEvent {
    const type = this.types[place] as BindingEventType;
    const data = JSON.parse(this.data[place] as string) as BindingEvent['data'];
    const stamp = { revision: this.firstRevision + place, at: this.times[place] as string, reason: this.reasons.get(place) };
    return { type, data, ...stamp };
  }
}

/** Canonical JSON of an event begins with it. */
function bindingIdOf(data: string): string {
  const end = data.indexOf('"', BEFORE_BINDING_ID.length);
  const id = data.slice(BEFORE_BINDING_ID.length, end);
  const plain = data.startsWith(BEFORE_BINDING_ID) && !id.includes('\\');
  return plain ? id : (JSON.parse(data) as BindingEvent['data']).bindingId;
}

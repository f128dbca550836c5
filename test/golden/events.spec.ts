/**
 * Events as they stand in streams that were written already. These files are never rewritten: when the shape of events
 * changes, the schema's number goes up, files of the new shape come beside these, and an upcaster reads these on.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BINDING_EVENT_TYPES,
  EVENT_SCHEMA,
  UNOPENED,
  evolve,
  evolveLedger,
  idempotencyRecordOf,
  isBindingEvent,
  scopedKey,
  stampOf,
  statusOf,
  type Binding,
  type LedgerState,
} from '#domain';
import type { RecordedEvent } from '#event-store';
import { UnknownEvent, canonicalJson, chainHash, readLedgerEvent } from '../../libs/ledger/src/chain.js';
import { writtenToday } from './written-today.js';

const folder = join(import.meta.dirname, 'events');
const files = readdirSync(folder).toSorted();

type Golden = Pick<RecordedEvent, 'id' | 'revision' | 'type' | 'data' | 'metadata'>;
const golden = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden;
const recorded = (event: Golden): RecordedEvent => ({
  ...event,
  stream: 'ledger-shop/partner',
  position: '1',
  storedAt: '2026-03-03T10:00:00.000Z',
});
const read = files.map((file) => readLedgerEvent(recorded(golden(file))));

const KEPT = '00000000-0000-7000-8000-000000000002';
const TAKER = '00000000-0000-7000-8000-000000000012';
const at = (minute: number) => `2026-03-03T09:${String(minute).padStart(2, '0')}:00.000Z`;
const DATA = { groups: [1, 2], group: 'Großhandel', vat: { number: 'FR1' } };

const FIRST: Binding = {
  id: KEPT,
  recordId: '92',
  externalId: '100000200-1',
  syncDate: at(6),
  data: DATA,
  state: 'unbound',
  version: 7,
  revision: 10,
  createdAt: at(2),
  updatedAt: at(11),
  unboundAt: at(11),
  cause: 'takenOver',
  reason: 'wrong record',
};
const SECOND: Binding = {
  id: TAKER,
  recordId: '7',
  externalId: '100000200-1',
  syncDate: null,
  data: {},
  state: 'unbound',
  version: 2,
  revision: 12,
  createdAt: at(11),
  updatedAt: at(12),
  unboundAt: at(12),
  cause: 'missingInBackend',
  reason: '404',
};

/** The state after each event, told in short. */
const STATUSES = [
  'open',
  'open',
  'open',
  'open',
  'open',
  'open',
  'open',
  'paused',
  'open',
  'open',
  'open',
  'open',
  'open',
  'closed',
];

describe('events that were written', () => {
  it('are there for every type, in the order of a stream', () => {
    const types = [...BINDING_EVENT_TYPES, 'LedgerOpened', 'LedgerRulesChanged', 'LedgerPaused', 'LedgerResumed', 'LedgerClosed'];
    expect(new Set(read.map(({ type }) => type))).toEqual(new Set(types));
    expect(files).toEqual(read.map(({ type, revision }) => `${String(revision).padStart(2, '0')}-${type}.json`));
    expect(read.map(({ revision }) => revision)).toEqual(read.map((_, index) => index));
  });

  it.each(files)('%s has a schema that is known, and is read as it stands', (file) => {
    const event = golden(file);
    expect(event.metadata['schema']).toBe(EVENT_SCHEMA);
    expect(readLedgerEvent(recorded(event))).toEqual(event);
  });

  it('fold to the bindings that they meant', () => {
    const bindings = new Map<string, Binding>();
    for (const event of read) {
      if (isBindingEvent(event)) {
        const { bindingId } = event.data;
        bindings.set(bindingId, evolve(bindings.get(bindingId), event, stampOf(event)));
      }
    }
    expect([...bindings.values()]).toEqual([FIRST, SECOND]);
  });

  it('fold to the ledger that they meant', () => {
    const states = read.reduce<LedgerState[]>((before, event) => [...before, evolveLedger(before.at(-1) ?? UNOPENED, event)], []);
    expect(states.map(statusOf)).toEqual(STATUSES);
    expect(states.at(-1)).toEqual({
      opened: true,
      paused: false,
      closed: true,
      rules: {
        localModel: 'res.partner',
        cardinality: 'many',
        dataSchema: { type: 'object', properties: { website: { type: 'string' }, groups: { type: 'array' } } },
        indexes: ['website'],
      },
      backendRevision: 9,
      modelRevision: 3,
      counts: { pending: 0, bound: 0, unbound: 2 },
    });
  });

  it('remember what keyed commands were answered', () => {
    const records = read.flatMap((event) => {
      const { idempotency, actor } = event.metadata;
      return isBindingEvent(event) && idempotency !== undefined
        ? [idempotencyRecordOf(event, stampOf(event), actor, idempotency)]
        : [];
    });
    expect(
      records.map(({ scopedKey: key, answer, at: recordedAt }) => [key, answer.outcome, answer.revision, recordedAt]),
    ).toEqual([
      [scopedKey('export job', 'k-1'), 'assigned', 2, at(3)],
      [scopedKey('operator', 'k-2'), 'moved', 6, at(7)],
      [scopedKey('export job', 'k-3'), 'created', 11, at(11)],
      [scopedKey('export job', 'k-4'), 'unbound', 12, at(12)],
    ]);
    const [assigned, moved, created, unbound] = records.map(({ answer }) => answer);
    const live = { id: KEPT, state: 'bound', createdAt: at(2) };
    expect(assigned?.binding).toEqual({
      ...live,
      recordId: '136',
      externalId: '879',
      syncDate: at(3),
      data: { website: 'fr', groups: [1, 2] },
      version: 2,
      revision: 2,
      updatedAt: at(3),
    });
    const there = {
      ...live,
      recordId: '92',
      externalId: '100000200-1',
      syncDate: at(6),
      data: DATA,
      version: 6,
      revision: 6,
      updatedAt: at(7),
    };
    expect([moved?.binding, moved?.bindings]).toEqual([there, [there]]);
    expect(created?.displaced).toEqual(FIRST);
    expect(unbound?.binding).toEqual(SECOND);
  });

  it('are chained by their hashes', () => {
    let previous = '';
    for (const { id, revision, type, data, metadata } of files.map(golden)) {
      const { hash, ...rest } = metadata;
      expect(hash).toBe(chainHash(previous, revision, { id, type }, canonicalJson(data), canonicalJson(rest)));
      previous = hash as string;
    }
  });
});

describe('events of today', () => {
  it('have the shape of their schema: a new shape needs a new schema, files of its own, and an upcaster', async () => {
    const today = JSON.parse(JSON.stringify(await writtenToday())) as unknown;
    expect(today).toEqual(files.map(golden));
  });
});

describe('events of tomorrow', () => {
  const [event] = files.map(golden);
  it.each([
    ['a type', { type: 'BindingArchived' }],
    ['a schema', { metadata: { ...event?.metadata, schema: EVENT_SCHEMA + 1 } }],
    ['no schema', { metadata: {} }],
  ])('are not taken for something else: %s that is not known', (_, change) => {
    expect(() => readLedgerEvent(recorded({ ...(event as Golden), ...change }))).toThrow(UnknownEvent);
  });
});

/** `docs/test-vectors/hash-chain.json`: what anybody needs who verifies a ledger with a program of their own. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventMetadata, LedgerEvent } from '#domain';
import type { JsonObject, JsonValue, RecordedEvent } from '#event-store';
import { canonicalJson, chainEvent, chainHash, metadataOf, readLedgerEvent, toNewEvent } from '../../libs/ledger/src/chain.js';

interface Vector {
  what: string;
  revision: number;
  id: string;
  type: string;
  data: JsonObject;
  metadata: JsonObject;
  canonicalData: string;
  canonicalMetadata: string;
  hash: string;
}

const file = join(import.meta.dirname, '../../docs/test-vectors/hash-chain.json');
const text = readFileSync(file, 'utf8');
const { events } = JSON.parse(text) as { events: Vector[] };
const chain = events.map((event, index) => ({ ...event, previous: index === 0 ? '' : (events[index - 1] as Vector).hash }));

/** RFC 8785 once more, from its text: 3.2.2 (literals, strings, numbers), 3.2.3 (members by UTF-16 code units). */
function serialized(value: JsonValue): string {
  if (typeof value === 'string') return `"${Array.from({ length: value.length }, (_, index) => escaped(value, index)).join('')}"`;
  if (typeof value === 'number') return value === 0 ? '0' : `${value}`;
  if (value === null || typeof value === 'boolean') return `${value}`;
  if (Array.isArray(value)) return `[${value.map(serialized).join()}]`;
  const members = Object.entries(value).sort(([a], [b]) => byCodeUnits(a, b));
  return `{${members.map(([name, member]) => `${serialized(name)}:${serialized(member)}`).join()}}`;
}

function escaped(value: string, index: number): string {
  const [letter, unit] = [value.charAt(index), value.charCodeAt(index)];
  const short = new Map([
    [8, 'b'],
    [9, 't'],
    [10, 'n'],
    [12, 'f'],
    [13, 'r'],
    [34, '"'],
    [92, '\\'],
  ]).get(unit);
  if (short !== undefined) return `\\${short}`;
  return unit < 32 ? `\\u00${unit < 16 ? '0' : '1'}${'0123456789abcdef'.charAt(unit % 16)}` : letter;
}

function byCodeUnits(a: string, b: string): number {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const apart = a.charCodeAt(index) - b.charCodeAt(index);
    if (apart !== 0) return apart;
  }
  return a.length - b.length;
}

describe('the vectors', () => {
  it('have what is easily done wrong in them', () => {
    expect(chain.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
    for (const hard of ['1e21', '-0', '"10"', '"9"', '\\ufb33', '😀', 'e\\u0301', '5e-324', '"idempotency"'])
      expect(text).toContain(hard);
    const numbers = chain.flatMap(({ data }) => (data['data'] as { numbers?: number[] } | undefined)?.numbers ?? []);
    expect(numbers.filter((number) => Object.is(number, -0))).toHaveLength(1);
  });

  it.each(chain)('$revision: $what: written out', ({ data, metadata, canonicalData, canonicalMetadata }) => {
    expect([canonicalJson(data), canonicalJson(metadata)]).toEqual([canonicalData, canonicalMetadata]);
    expect([serialized(data), serialized(metadata)]).toEqual([canonicalData, canonicalMetadata]);
  });

  it.each(chain)('$revision: $what: hashed', ({ previous, revision, id, type, data, metadata, hash }) => {
    const parts = [previous, `${revision}`, id, type, serialized(data), serialized(metadata)];
    expect(
      createHash('sha256')
        .update(Buffer.from(parts.join('\n'), 'utf8'))
        .digest('hex'),
    ).toBe(hash);
    const { schema: _, ...given } = metadata as unknown as EventMetadata;
    const unchained = metadataOf(given, given.at, given);
    const event = chainEvent(previous, revision, id, { type, data } as unknown as LedgerEvent, unchained);
    expect({ ...toNewEvent(event), revision: event.revision }).toEqual({ id, revision, type, data, metadata: { ...metadata, hash } });
    expect(event.bytes).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(toNewEvent(event))));
    // What a store that keeps text is given is the event itself, and not another one with its hash.
    const read = JSON.parse(JSON.stringify({ data: event.data, metadata: event.metadata })) as unknown;
    expect({ data: JSON.parse(event.json.data), metadata: JSON.parse(event.json.metadata) }).toEqual(read);
  });

  it('spell nothing that reading and writing as JSON would change', () => {
    for (const { previous, revision, id, type, data, metadata, hash } of chain) {
      const stored = JSON.parse(JSON.stringify({ data, metadata: { ...metadata, hash } })) as Pick<
        RecordedEvent,
        'data' | 'metadata'
      >;
      const event = readLedgerEvent({
        id,
        revision,
        type,
        ...stored,
        stream: 'ledger-shop/partner',
        position: '1',
        storedAt: '',
      });
      const { hash: read, ...rest } = event.metadata;
      expect(chainHash(previous, revision, { id, type }, canonicalJson(event.data), canonicalJson(rest))).toBe(read);
    }
  });
});

describe('a hash', () => {
  const { previous, revision, id, type, canonicalData, canonicalMetadata, hash } = chain[4] as (typeof chain)[number];
  const changed: [string, Parameters<typeof chainHash>][] = [
    [
      'the event before',
      [previous.replace(/^./, (digit) => (digit === '0' ? '1' : '0')), revision, { id, type }, canonicalData, canonicalMetadata],
    ],
    ['the revision', [previous, revision + 1, { id, type }, canonicalData, canonicalMetadata]],
    ['the id', [previous, revision, { id: id.replace('4', '5'), type }, canonicalData, canonicalMetadata]],
    ['the type', [previous, revision, { id, type: 'BindingMoved' }, canonicalData, canonicalMetadata]],
    ['the data', [previous, revision, { id, type }, canonicalData.replace('requested', 'takenOver'), canonicalMetadata]],
    ['the metadata', [previous, revision, { id, type }, canonicalData, canonicalMetadata.replace('"job"', '"jab"')]],
  ];
  it.each(changed)('is another when %s is another', (_, parts) => {
    expect(chainHash(previous, revision, { id, type }, canonicalData, canonicalMetadata)).toBe(hash);
    expect(chainHash(...parts)).not.toBe(hash);
  });

  it('does not depend on members that are left out, nor on the order of those that are there', () => {
    const opened: LedgerEvent = { type: 'LedgerPaused', data: { backendRevision: 1 } };
    const given = { actor: 'a', correlationId: 'c', at: '2026-03-03T09:00:00.000Z' };
    const event = chainEvent('', 0, id, opened, metadataOf(given, given.at));
    const shuffled = { correlationId: 'c', onBehalfOf: undefined, actor: 'a' };
    const same = chainEvent('', 0, id, opened, metadataOf(shuffled, given.at, { reason: undefined, direction: undefined }));
    expect(same.hash).toBe(event.hash);
  });
});

describe('canonical JSON', () => {
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonValue>(null, true, false),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string({ unit: 'binary', maxLength: 5 }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.nat(20).map(String)), tie('value'), {
        maxKeys: 5,
        noNullPrototype: true,
      }),
    ),
  }));

  it('is written as RFC 8785 says, and read as what was written', () => {
    fc.assert(
      fc.property(value, (given) => {
        const written = canonicalJson(given);
        expect(written).toBe(serialized(given));
        expect(canonicalJson(JSON.parse(written))).toBe(written);
      }),
      { numRuns: 500 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import type { BindingState, RecordedLedgerEvent } from '#domain';
import { writtenEvent } from './chain.js';
import { Tail } from './tail.js';

const LIMITS = { tailEvents: 8, tailBytes: 1_000 };
const NONE = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };

function event(revision: number, bindingId: string, version: number, externalId: string, state: BindingState = 'bound') {
  return writtenEvent({
    type: version === 1 ? 'BindingCreated' : 'ExternalIdReplaced',
    data: { bindingId, version, recordId: `r-${bindingId}`, externalId, state, data: {}, syncDate: null },
    id: `${revision}`,
    revision,
    metadata: { actor: 'job', at: '2026-01-01T00:00:00.000Z', correlationId: '', schema: 1, hash: '' },
  } as RecordedLedgerEvent);
}

const idsOf = (tail: Tail, externalId: string) => [...tail.matching({ ...NONE, externalIds: [externalId] })];

describe('the tail of a ledger', () => {
  it('forgets what is projected by whole segments, and counts what is not', () => {
    const tail = new Tail(-1, LIMITS);
    for (let revision = 0; revision < 6; revision += 1) tail.append([event(revision, `b${revision}`, 1, `e${revision}`)], 10);
    tail.pruneTo(2);
    expect([tail.after, tail.projected, tail.head, tail.length]).toEqual([1, 2, 5, 3]);
    expect(idsOf(tail, 'e1')).toEqual([]);
    expect(idsOf(tail, 'e2')).toEqual(['b2']);
    tail.pruneTo(5);
    expect([tail.after, tail.head, tail.length]).toEqual([5, 5, 0]);
    expect(idsOf(tail, 'e5')).toEqual([]);
    tail.append([event(6, 'b6', 1, 'e6')], 10);
    expect(idsOf(tail, 'e6')).toEqual(['b6']);
  });

  it('follows a binding over several segments', () => {
    const tail = new Tail(-1, LIMITS);
    for (let revision = 0; revision < 6; revision += 1) tail.append([event(revision, 'b', revision + 1, `e${revision}`)], 10);
    expect(tail.createdHere('b')).toBe(true);
    expect(tail.advance('b', undefined)).toMatchObject({ externalId: 'e5', version: 6, revision: 5 });
    const ahead = new Tail(-1, LIMITS);
    for (let revision = 0; revision < 4; revision += 1) ahead.append([event(revision, 'b', revision + 1, `e${revision}`)], 10);
    const document = ahead.advance('b', undefined);
    expect(document).toMatchObject({ externalId: 'e3', version: 4 });
    tail.pruneTo(3);
    expect(tail.createdHere('b')).toBe(false);
    expect(tail.advance('b', document)).toMatchObject({ externalId: 'e5', version: 6 });
  });

  it('is cut off behind what was written, and goes on from there', () => {
    const tail = new Tail(-1, LIMITS);
    tail.append([event(0, 'a', 1, 'e'), event(1, 'b', 1, 'f')], 10);
    tail.append([event(2, 'c', 1, 'g'), event(3, 'd', 1, 'h')], 10);
    tail.cutTo(2);
    expect([tail.head, tail.length, idsOf(tail, 'g'), idsOf(tail, 'h')]).toEqual([2, 3, ['c'], []]);
    tail.append([event(3, 'other', 1, 'h')], 10);
    expect(idsOf(tail, 'h')).toEqual(['other']);
    expect(() => tail.append([event(9, 'x', 1, 'x')], 10)).toThrow('broken invariant');
    tail.cutTo(-1);
    expect([tail.head, idsOf(tail, 'e')]).toEqual([-1, []]);
  });

  it('is full by events, and by bytes', () => {
    const tail = new Tail(-1, LIMITS);
    for (let revision = 0; revision < 8; revision += 1) tail.append([event(revision, `b${revision}`, 1, `e${revision}`)], 10);
    expect(tail.isFull).toBe(false);
    tail.append([event(8, 'b8', 1, 'e8')], 10);
    expect(tail.isFull).toBe(true);
    tail.pruneTo(7);
    expect(tail.isFull).toBe(false);
    tail.append([event(9, 'b9', 1, 'e9')], 1_000);
    expect(tail.isFull).toBe(true);
  });
});

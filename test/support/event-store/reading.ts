import { expect, it } from 'vitest';
import { MAX_PAGE_EVENTS, NO_STREAM, START, type Revision } from '#event-store';
import { append, event, idsOf, many, nameOf, range, readToEnd, readWhole, revisionsOf, type Subject } from './events.js';

export function reading(store: Subject): void {
  it('gives back what was written, in order, with revision, position and time', async () => {
    const stream = nameOf('read');
    const written = [
      event('A', { number: 1, nested: { list: [null, true, 0.5] } }, { actor: 'a' }),
      event('B', { text: 'é\u{1F4D6}"\\\n\u0000\u2028' }, {}),
      event('C', {}),
    ];
    const result = await append(store(), stream, NO_STREAM, written);
    const events = await readWhole(store(), stream);
    expect(events).toMatchObject(written.map((one, revision) => ({ ...one, stream, revision })));
    expect(events.map(({ data }) => data)).toEqual(written.map(({ data }) => data));
    expect(events.map(({ metadata }) => metadata)).toEqual(written.map(({ metadata }) => metadata));
    const texts = (await store().readTexts?.(stream, NO_STREAM, 10))?.map(({ data, metadata, ...rest }) => ({
      ...rest,
      data: JSON.parse(data) as unknown,
      metadata: JSON.parse(metadata) as unknown,
    }));
    const parsed = events.map(({ revision, id, type, data, metadata }) => ({ revision, id, type, data, metadata }));
    if (texts !== undefined) expect(texts).toEqual(parsed);
    expect((await readToEnd(store(), stream, result.position)).events).toEqual([]);
    for (const { storedAt } of events) expect(new Date(storedAt).toISOString()).toBe(storedAt);
    if (result.storedAt !== undefined) expect(events.at(-1)?.storedAt).toBe(result.storedAt);
  });

  it('goes forwards and backwards from after a revision, by pages', async () => {
    const stream = nameOf('window');
    await append(store(), stream, NO_STREAM, many(10));
    const revisions = async (options: { direction?: 'forwards' | 'backwards'; after?: Revision; limit: number }) =>
      revisionsOf(await store().readStream(stream, options));
    expect(await revisions({ limit: 3 })).toEqual([0, 1, 2]);
    expect(await revisions({ after: NO_STREAM, limit: 3 })).toEqual([0, 1, 2]);
    expect(await revisions({ after: 6, limit: 10 })).toEqual([7, 8, 9]);
    expect(await revisions({ after: 2, limit: 2 })).toEqual([3, 4]);
    expect(await revisions({ after: 9, limit: 2 })).toEqual([]);
    expect(await revisions({ direction: 'backwards', limit: 2 })).toEqual([9, 8]);
    expect(await revisions({ direction: 'backwards', after: 2, limit: 10 })).toEqual([1, 0]);
    expect(await revisions({ direction: 'backwards', after: 8, limit: 3 })).toEqual([7, 6, 5]);
    expect(await revisions({ direction: 'backwards', after: 0, limit: 3 })).toEqual([]);
  });

  it('finds nothing in a stream that was never written', async () => {
    const stream = nameOf('never');
    expect(await store().readStream(stream, { limit: 10 })).toEqual([]);
    expect(await store().readStream(stream, { direction: 'backwards', limit: 10 })).toEqual([]);
    expect(await store().headRevision(stream)).toBe(NO_STREAM);
  });

  it('gives back 5,000 events whole', async () => {
    const stream = nameOf('long');
    for (let start = 0; start < 5_000; start += 500) await append(store(), stream, start - 1, many(500));
    const first = await readWhole(store(), stream);
    expect(first).toHaveLength(MAX_PAGE_EVENTS);
    const rest = await store().readStream(stream, { after: MAX_PAGE_EVENTS - 1, limit: MAX_PAGE_EVENTS });
    expect(revisionsOf([...first, ...rest])).toEqual(range(0, 4_999));
  });

  it('refuses a page size that no page can have', async () => {
    for (const limit of [0, -1, 1.5, MAX_PAGE_EVENTS + 1, Number.NaN]) {
      await expect(store().readStream(nameOf('page'), { limit })).rejects.toBeInstanceOf(RangeError);
      await expect(store().readAll({ after: START, streamPrefixes: [''], limit })).rejects.toBeInstanceOf(RangeError);
    }
  });

  it('answers a ping', async () => {
    await expect(store().ping()).resolves.toBeUndefined();
  });
}

export function readingAll(store: Subject): void {
  it('gives the events of a prefix in the order of the commits, and no others', async () => {
    const prefix = nameOf('all');
    const [a, b] = [`${prefix}-a`, `${prefix}-b`];
    const { position } = await append(store(), nameOf('before'), NO_STREAM, many(1));
    await append(store(), a, NO_STREAM, many(1));
    await append(store(), nameOf('noise'), NO_STREAM, many(5));
    await append(store(), b, NO_STREAM, many(2));
    const last = await append(store(), a, 0, many(1));
    const { events } = await readToEnd(store(), `${prefix}-`, position);
    expect(events.map(({ stream, revision }) => `${stream}@${revision}`)).toEqual([`${a}@0`, `${b}@0`, `${b}@1`, `${a}@1`]);
    expect((await readToEnd(store(), prefix, last.position)).events).toEqual([]);
    expect(events).toEqual((await readToEnd(store(), prefix, START)).events);
  });

  it('gives the events of several prefixes together, and refuses none at all', async () => {
    const prefix = nameOf('several');
    const { position } = await append(store(), nameOf('before'), NO_STREAM, many(1));
    for (const stream of ['a-1', 'b-1', 'ab-1', 'c-1', 'a-2']) await append(store(), `${prefix}.${stream}`, NO_STREAM, many(1));
    await append(store(), `test-${prefix}.a-1`, NO_STREAM, many(1));
    const prefixes = ['a-', 'c-', 'never-'].map((category) => `${prefix}.${category}`);
    const { events } = await store().readAll({ after: position, streamPrefixes: prefixes, limit: 100 });
    expect(events.map(({ stream }) => stream)).toEqual(['a-1', 'c-1', 'a-2'].map((stream) => `${prefix}.${stream}`));
    await expect(store().readAll({ after: START, streamPrefixes: [], limit: 1 })).rejects.toBeInstanceOf(RangeError);
  });

  it('goes on after a position, by pages of any size', async () => {
    const stream = nameOf('paged');
    const first = await append(store(), stream, NO_STREAM, many(1));
    await append(store(), stream, 0, many(30));
    for (const limit of [1, 7, 30, 31]) {
      const { events } = await readToEnd(store(), stream, first.position, limit);
      expect(revisionsOf(events)).toEqual(range(1, 30));
    }
  });

  it('goes on after the position of an event in the middle of an append', async () => {
    const stream = nameOf('middle');
    const batch = many(5);
    await append(store(), stream, NO_STREAM, batch);
    const [, second] = await readWhole(store(), stream);
    const { events } = await readToEnd(store(), stream, second?.position ?? START);
    expect(idsOf(events)).toEqual(idsOf(batch.slice(2)));
  });

  it('moves the position on although nothing matches, and finds what comes later from there', async () => {
    const [before, prefix] = [await append(store(), nameOf('marker'), NO_STREAM, many(1)), nameOf('none')];
    const noise = await append(store(), nameOf('noise'), NO_STREAM, many(300));
    const { events, position } = await readToEnd(store(), prefix, before.position, 10);
    expect(events).toEqual([]);
    expect(position >= noise.position).toBe(true);
    await append(store(), prefix, NO_STREAM, many(2));
    const later = await readToEnd(store(), prefix, position);
    expect(revisionsOf(later.events)).toEqual([0, 1]);
    expect(await readToEnd(store(), prefix, later.position)).toMatchObject({ events: [] });
  });

  it('takes the whole name as a prefix of itself, and no pattern', async () => {
    const stream = nameOf('literal_%*[a-z]');
    await append(store(), stream, NO_STREAM, many(1));
    await append(store(), stream.replace('_', 'x'), NO_STREAM, many(1));
    expect((await readToEnd(store(), stream, START)).events.map((found) => found.stream)).toEqual([stream]);
  });
}

import { expect, it } from 'vitest';
import { MAX_APPEND_EVENTS, NO_STREAM, START, type NewEvent, type Position } from '#event-store';
import { append, event, idsOf, many, nameOf, range, readWhole, revisionsOf, type Subject } from './events.js';

export function appending(store: Subject): void {
  it('at NO_STREAM creates the stream and answers the revision of the last event', async () => {
    const stream = nameOf('create');
    expect(await store().headRevision(stream)).toBe(NO_STREAM);
    expect(await store().append(stream, NO_STREAM, many(3))).toMatchObject({ ok: true, revision: 2 });
    expect(await store().headRevision(stream)).toBe(2);
  });

  it('at a revision is a compare-and-set', async () => {
    const stream = nameOf('cas');
    await append(store(), stream, NO_STREAM, many(2));
    expect(await store().append(stream, 1, many(1))).toMatchObject({ ok: true, revision: 2 });
    expect(await store().append(stream, 1, many(1))).toEqual({ ok: false, actual: 2 });
    expect(await store().append(stream, 7, many(1))).toEqual({ ok: false, actual: 2 });
    expect(await readWhole(store(), stream)).toHaveLength(3);
  });

  it('at NO_STREAM is refused where a stream is, at a revision where none is', async () => {
    const [stream, missing] = [nameOf('exists'), nameOf('missing')];
    await append(store(), stream, NO_STREAM, many(1));
    expect(await store().append(stream, NO_STREAM, many(1))).toEqual({ ok: false, actual: 0 });
    expect(await store().append(missing, 4, many(1))).toEqual({ ok: false, actual: NO_STREAM });
    expect(await readWhole(store(), missing)).toEqual([]);
  });

  it('of more than 1 MiB is refused whole', async () => {
    const stream = nameOf('big');
    const big = Array.from({ length: 3 }, () => event('Big', { filler: 'x'.repeat(400_000) }));
    await expect(store().append(stream, NO_STREAM, big)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(await store().headRevision(stream)).toBe(NO_STREAM);
    expect(await store().append(stream, NO_STREAM, big.slice(0, 2))).toMatchObject({ ok: true, revision: 1 });
  });

  it('of more events than one append may have is refused whole', async () => {
    const stream = nameOf('numerous');
    const events = Array.from({ length: MAX_APPEND_EVENTS + 1 }, () => event('E', {}, {}));
    await expect(store().append(stream, NO_STREAM, events)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(await store().headRevision(stream)).toBe(NO_STREAM);
  });

  it('of 20 at once at one revision lets exactly one win', async () => {
    const stream = nameOf('race');
    await append(store(), stream, NO_STREAM, many(1));
    const batches = Array.from({ length: 20 }, () => many(2));
    const results = await Promise.all(batches.map((batch) => store().append(stream, 0, batch)));
    const winner = results.findIndex(({ ok }) => ok);
    expect(results.filter(({ ok }) => !ok)).toEqual(Array.from({ length: 19 }, () => ({ ok: false, actual: 2 })));
    expect(idsOf(await readWhole(store(), stream)).slice(1)).toEqual(idsOf(batches[winner] ?? []));
  });

  it('of 60 at once to streams of their own all succeed, each at a place of its own', async () => {
    const streams = Array.from({ length: 60 }, (_, index) => nameOf(`own${index}`));
    const results = await Promise.all(streams.map((stream) => append(store(), stream, NO_STREAM, many(2))));
    expect(new Set(results.map(({ position }) => position)).size).toBe(60);
    for (const stream of streams) expect(revisionsOf(await readWhole(store(), stream))).toEqual([0, 1]);
  });

  it('without events compares nothing and writes nothing', async () => {
    const stream = nameOf('empty');
    await append(store(), stream, NO_STREAM, many(1));
    expect(await store().append(stream, 0, [])).toMatchObject({ ok: true, revision: 0 });
    expect(await store().headRevision(stream)).toBe(0);
  });

  it('answers positions that ascend as strings', async () => {
    const positions: Position[] = [START];
    for (let count = 0; count < 12; count += 1) {
      positions.push((await append(store(), nameOf('ascending'), NO_STREAM, many(3))).position);
    }
    expect([...new Set(positions)].sort()).toEqual(positions);
  });
}

export function repeating(store: Subject): void {
  it('succeeds and writes nothing', async () => {
    const [stream, batch] = [nameOf('again'), many(3)];
    await append(store(), stream, NO_STREAM, many(2));
    const first = await append(store(), stream, 1, batch);
    expect(await store().append(stream, 1, batch)).toMatchObject({ ok: true, revision: first.revision });
    expect(await store().headRevision(stream)).toBe(4);
  });

  it('succeeds after others were appended behind it', async () => {
    const [stream, batch] = [nameOf('late'), many(2)];
    const first = await append(store(), stream, NO_STREAM, batch);
    await append(store(), stream, 1, many(2));
    expect(await store().append(stream, NO_STREAM, batch)).toMatchObject({ ok: true, revision: first.revision });
    expect(await store().headRevision(stream)).toBe(3);
  });

  it('sent many times at once is written once', async () => {
    const [stream, batch] = [nameOf('storm'), many(4)];
    const results = await Promise.all(range(1, 10).map(() => store().append(stream, NO_STREAM, batch)));
    expect(results.every((result) => result.ok && result.revision === 3)).toBe(true);
    expect(idsOf(await readWhole(store(), stream))).toEqual(idsOf(batch));
  });

  it('is refused when only a part of it is there, or its events stand elsewhere', async () => {
    const stream = nameOf('partly');
    const [a, b, c] = many(3) as [NewEvent, NewEvent, NewEvent];
    await append(store(), stream, NO_STREAM, [a, b]);
    expect(await store().append(stream, NO_STREAM, [b, c])).toEqual({ ok: false, actual: 1 });
    expect(await store().append(stream, NO_STREAM, [a, b, c])).toEqual({ ok: false, actual: 1 });
    expect(await store().append(stream, NO_STREAM, [b, a])).toEqual({ ok: false, actual: 1 });
    expect(idsOf(await readWhole(store(), stream))).toEqual([a.id, b.id]);
  });
}

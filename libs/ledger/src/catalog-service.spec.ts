import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DefineBackendType } from '#domain';
import { CONTEXT, World, done, refusedAs, setUp, type Process } from '../../../test/support/control/world.js';

let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open();
  here = world.process();
  await setUp(here);
});
afterEach(() => world.close());

const define = (command: Partial<DefineBackendType>, by = here) =>
  by.plane.catalog.defineType({ type: 'shop', ...command }, CONTEXT);

describe('backend types', () => {
  it('are created, changed, and left alone when they are put as they are', async () => {
    const erp = { type: 'erp', label: 'ERP', versions: [{ value: '17', label: 'Seventeen' }] };
    expect(await done(define(erp))).toMatchObject({ outcome: 'created', type: { ...erp, settingsSchema: null, revision: 1 } });
    expect(await done(define(erp, world.process()))).toMatchObject({ outcome: 'unchanged', type: { revision: 1 } });
    expect(await done(define({ ...erp, label: 'The ERP' }))).toMatchObject({
      outcome: 'changed',
      type: { label: 'The ERP', revision: 2 },
    });
    expect(await done(world.process().plane.catalog.type('erp'))).toMatchObject({ label: 'The ERP' });
    expect(await world.eventTypes('catalog-types')).toEqual(['BackendTypeDefined', 'BackendTypeDefined', 'BackendTypeDefined']);
  });

  it('are listed by name, also those that are not projected yet', async () => {
    await done(define({ type: 'erp' }));
    await world.project();
    await done(define({ type: 'carrier' }));
    await done(define({ type: 'erp', label: 'Changed' }));
    const types = await world.process().plane.catalog.types();
    expect(types.map(({ type, label }) => [type, label])).toEqual([
      ['carrier', 'carrier'],
      ['erp', 'Changed'],
      ['shop', 'shop'],
    ]);
    expect((await here.plane.catalog.types('carrier', 1)).map(({ type }) => type)).toEqual(['erp']);
  });

  it('are not found by another name', async () => {
    for (const name of ['none', 'constructor', '__proto__', '']) {
      expect(await refusedAs(here.plane.catalog.type(name))).toBe('BACKEND_TYPE_NOT_FOUND');
      expect(await refusedAs(here.plane.catalog.model(name))).toBe('MODEL_NOT_FOUND');
    }
  });

  it('keep the versions that backends use', async () => {
    await done(here.plane.backends.change('berlin', { version: '1.6' }, CONTEXT));
    const refusal = await define({ versions: [{ value: '1.7' }] }, world.process());
    expect(refusal).toMatchObject({ refused: 'VERSION_IN_USE', details: { versions: ['1.6'] } });
    expect(await refusedAs(define({ versions: [{ value: '1.6' }, { value: '2.0' }] }))).toBe('done');
    expect(await refusedAs(here.plane.backends.change('berlin', { version: '1.7' }, CONTEXT))).toBe('UNKNOWN_VERSION');
    await done(here.plane.backends.change('berlin', { version: '2.0' }, CONTEXT));
    expect(await refusedAs(define({ versions: [{ value: '2.0' }] }))).toBe('done');
    await done(here.plane.backends.retire('berlin', CONTEXT));
    expect(await refusedAs(define({ versions: [] }))).toBe('done');
  });

  it('defined by many at once are all there', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `type-${n}`);
    await Promise.all(names.map((type) => done(define({ type }, world.process()))));
    for (const name of names) expect(await refusedAs(here.plane.catalog.type(name))).toBe('done');
  });
});

describe('what a newer program wrote', () => {
  it('is not guessed at', async () => {
    const append = (stream: string, revision: number, type: string, schema: number) =>
      world.store.append(stream, revision, [
        { id: crypto.randomUUID(), type, data: { type: 'erp' }, metadata: { schema, at: '2026-03-03T00:00:00.000Z' } },
      ]);
    await append('catalog-types', 0, 'BackendTypeDefined', 99);
    await expect(here.plane.catalog.type('shop')).rejects.toThrow('not known to this version');
    await append('catalog-models', 1, 'ModelMerged', 1);
    await expect(here.plane.catalog.model('shop.partner')).rejects.toThrow('ModelMerged');
    await append('backend-berlin', 0, 'BackendSucceeded', 1);
    await expect(here.plane.backends.get('berlin')).rejects.toThrow('BackendSucceeded');
    await expect(world.project()).rejects.toThrow('not known to this version');
  });
});

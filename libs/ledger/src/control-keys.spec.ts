/** The same change with the same idempotency key gives the first answer again, whatever happened meanwhile. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RequestContext } from '#domain';
import {
  bind,
  CONTEXT,
  PARTNERS,
  SHOP_MODEL,
  World,
  done,
  refusedAs,
  setUp,
  type Process,
} from '../../../test/support/control/world.js';
import { keyed } from './control-keys.js';

const DAY_MS = 24 * 3_600_000;
const KEY = { key: 'k-1' };
let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open();
  here = world.process();
  await setUp(here);
});
afterEach(() => world.close());

/** Whoever comes later knows nothing but what the stores hold. */
const elsewhere = () => world.process().plane;

describe('a backend', () => {
  const LYON = { id: 'lyon', type: 'shop', location: 'https://lyon.example.com', name: 'Lyon' };

  it('is registered, changed, paused and resumed once for each key', async () => {
    const registered = await done(here.plane.backends.register(LYON, CONTEXT, KEY));
    const changed = await done(here.plane.backends.change('lyon', { name: 'Lyons' }, CONTEXT, { key: 'k-2' }));
    const paused = await done(here.plane.backends.pause('lyon', CONTEXT, { key: 'k-3', reason: 'stocktaking' }));
    const resumed = await done(here.plane.backends.resume('lyon', CONTEXT, { key: 'k-4' }));
    await done(here.plane.backends.change('lyon', { name: 'Lugdunum' }, CONTEXT));
    await world.project();
    const before = await world.eventTypes('backend-lyon');

    expect(await elsewhere().backends.register(LYON, CONTEXT, KEY)).toEqual(registered);
    expect(await elsewhere().backends.change('lyon', { name: 'Lyons' }, CONTEXT, { key: 'k-2' })).toEqual(changed);
    expect(await elsewhere().backends.pause('lyon', CONTEXT, { key: 'k-3', reason: 'stocktaking' })).toEqual(paused);
    expect(await elsewhere().backends.resume('lyon', CONTEXT, { key: 'k-4' })).toEqual(resumed);
    expect(registered).toMatchObject({ outcome: 'created', backend: { name: 'Lyon', state: 'active' } });
    expect(changed).toMatchObject({ outcome: 'changed', backend: { name: 'Lyons', revision: 1 } });
    expect(paused).toMatchObject({ outcome: 'changed', backend: { state: 'paused' } });
    expect(await world.eventTypes('backend-lyon')).toEqual(before);
    expect(await done(elsewhere().backends.get('lyon'))).toMatchObject({ name: 'Lugdunum', state: 'active' });
  });

  it('is not changed by another request with a key that was used', async () => {
    await done(here.plane.backends.change('berlin', { name: 'A' }, CONTEXT, KEY));
    const others = [
      () => elsewhere().backends.change('berlin', { name: 'B' }, CONTEXT, KEY),
      () => elsewhere().backends.change('berlin', { name: 'A' }, CONTEXT, { ...KEY, reason: 'another' }),
      () => elsewhere().backends.pause('berlin', CONTEXT, KEY),
      () => elsewhere().backends.resume('berlin', CONTEXT, KEY),
      () => elsewhere().backends.retire('berlin', CONTEXT, KEY),
    ];
    for (const other of others) expect(await refusedAs(other())).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await world.eventTypes('backend-berlin')).toHaveLength(2);
  });

  it('has keys of its own, and so has each actor', async () => {
    await done(here.plane.backends.register(LYON, CONTEXT, KEY));
    await done(here.plane.backends.change('berlin', { name: 'A' }, CONTEXT, KEY));
    const other: RequestContext = { ...CONTEXT, actor: 'another' };
    expect(await done(here.plane.backends.change('berlin', { name: 'B' }, other, KEY))).toMatchObject({ outcome: 'changed' });
  });

  it('decides afresh what made no event', async () => {
    await done(here.plane.backends.change('berlin', { name: 'A' }, CONTEXT));
    expect(await done(here.plane.backends.change('berlin', { name: 'A' }, CONTEXT, KEY))).toMatchObject({ outcome: 'unchanged' });
    await done(here.plane.backends.change('berlin', { name: 'B' }, CONTEXT));
    expect(await done(here.plane.backends.change('berlin', { name: 'A' }, CONTEXT, KEY))).toMatchObject({ outcome: 'changed' });
    expect(await refusedAs(here.plane.backends.change('berlin', { version: '9' }, CONTEXT, { key: 'k-2' }))).toBe(
      'UNKNOWN_VERSION',
    );
    await done(
      here.plane.catalog.defineType({ type: 'shop', versions: [{ value: '1.6' }, { value: '1.7' }, { value: '9' }] }, CONTEXT),
    );
    expect(await refusedAs(here.plane.backends.change('berlin', { version: '9' }, CONTEXT, { key: 'k-2' }))).toBe('done');
  });

  it('forgets keys after a day', async () => {
    const yesterday = world.process({ clock: () => Date.now() - DAY_MS - 60_000 });
    const old = { ...LYON, id: 'old' };
    await done(yesterday.plane.backends.register(old, CONTEXT, KEY));
    expect(await refusedAs(elsewhere().backends.register(old, CONTEXT, KEY))).toBe('BACKEND_EXISTS');
    expect(await refusedAs(elsewhere().backends.register({ ...old, name: 'Other' }, CONTEXT, KEY))).toBe('BACKEND_EXISTS');
  });

  it('is changed once when the same comes several times at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => done(elsewhere().backends.change('berlin', { name: 'At once' }, CONTEXT, KEY))),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({ outcome: 'changed' });
    expect(await world.eventTypes('backend-berlin')).toHaveLength(2);
  });

  it('compares no secrets, and keeps nothing that would give them away', async () => {
    const settingsSchema = {
      type: 'object',
      properties: { token: { type: 'string', 'x-secret': true }, lang: { type: 'string' } },
    };
    await done(here.plane.catalog.defineType({ type: 'vaulted', settingsSchema }, CONTEXT));
    const command = { ...LYON, type: 'vaulted', password: 'hunter2', settings: { token: 't0ken', lang: 'fr' } };
    const first = await done(here.plane.backends.register(command, CONTEXT, KEY));
    const again = { ...command, password: 'another', settings: { token: 'another', lang: 'fr' } };
    expect(await elsewhere().backends.register(again, CONTEXT, KEY)).toEqual(first);
    const other = { ...command, settings: { token: 't0ken', lang: 'de' } };
    expect(await refusedAs(elsewhere().backends.register(other, CONTEXT, KEY))).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await refusedAs(elsewhere().backends.register({ ...command, password: undefined }, CONTEXT, KEY))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    expect(await done(elsewhere().backends.readCredentials('lyon', CONTEXT, KEY))).toEqual({
      username: null,
      password: 'hunter2',
      secrets: { token: 't0ken' },
    });
    const { request } = keyed(KEY, 'register', command);
    expect(await world.everything()).not.toContain(request);
  });

  it('stays retired, and is retired afresh after it was refused', async () => {
    const binding = { recordId: '1', externalId: 'a' };
    await bind(here, PARTNERS, binding);
    expect(await refusedAs(here.plane.backends.retire('berlin', CONTEXT, KEY))).toBe('BACKEND_IN_USE');
    await here.ledgers.run(PARTNERS, { op: 'unbind', recordId: '1' }, here.plane, CONTEXT);
    const retired = await done(here.plane.backends.retire('berlin', CONTEXT, KEY));
    expect(await elsewhere().backends.retire('berlin', CONTEXT, KEY)).toEqual(retired);
    expect(retired).toMatchObject({ state: 'retired' });
  });
});

describe('the catalog', () => {
  it('is defined once for each key', async () => {
    const type = { type: 'erp', label: 'ERP' };
    const model = { model: 'erp.partner', backendType: 'erp', localModel: 'res.partner' };
    const [typeKey, modelKey] = [{ key: 'type' }, { key: 'model' }];
    const types = [await done(here.plane.catalog.defineType(type, CONTEXT, typeKey))];
    const models = [await done(here.plane.catalog.defineModel(model, CONTEXT, modelKey))];
    const [wider, many] = [
      { ...type, versions: [{ value: '17' }] },
      { ...model, cardinality: 'many' as const },
    ];
    types.push(await done(here.plane.catalog.defineType(wider, CONTEXT, { key: 'wider' })));
    models.push(await done(here.plane.catalog.defineModel(many, CONTEXT, { key: 'many' })));
    await done(here.plane.catalog.defineType({ ...type, label: 'Later' }, CONTEXT));
    await done(here.plane.catalog.defineModel({ ...model, cardinality: 'one' }, CONTEXT));
    const before = await world.eventTypes('catalog-models');

    expect(await elsewhere().catalog.defineType(type, CONTEXT, typeKey)).toEqual(types[0]);
    expect(await elsewhere().catalog.defineType(wider, CONTEXT, { key: 'wider' })).toEqual(types[1]);
    expect(await elsewhere().catalog.defineModel(model, CONTEXT, modelKey)).toEqual(models[0]);
    expect(await elsewhere().catalog.defineModel(many, CONTEXT, { key: 'many' })).toEqual(models[1]);
    expect([types, models].map((answers) => answers.map(({ outcome }) => outcome))).toEqual([
      ['created', 'changed'],
      ['created', 'changed'],
    ]);
    expect(await world.eventTypes('catalog-models')).toEqual(before);
    expect(await refusedAs(elsewhere().catalog.defineType(type, CONTEXT, modelKey))).toBe('done');
    expect(await refusedAs(elsewhere().catalog.defineType({ ...type, label: 'X' }, CONTEXT, typeKey))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    expect(await refusedAs(elsewhere().catalog.defineModel(many, CONTEXT, modelKey))).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('decides a change afresh that was rolled back', async () => {
    const narrow = { ...SHOP_MODEL, dataSchema: { type: 'object', required: ['size'] } };
    // A binding that comes between the look and the announcement makes a change be rolled back.
    let late: Promise<object> | undefined;
    const changing = world.process({
      beforeAppend: async ([event]) => {
        if (event?.type === 'ModelChanging') late ??= bind(here, PARTNERS, { recordId: '2', externalId: 'b' });
        await late;
      },
    });
    await bind(here, PARTNERS, { recordId: '1', externalId: 'a', data: { size: 1 } });
    expect(await refusedAs(changing.plane.catalog.defineModel(narrow, CONTEXT, KEY))).toBe('MODEL_CHANGE_VIOLATED');
    expect(await world.eventTypes('catalog-models')).toContain('ModelChangeRolledBack');
    await here.ledgers.run(PARTNERS, { op: 'unbind', recordId: '2' }, here.plane, CONTEXT);
    await world.project();
    const changed = await done(elsewhere().catalog.defineModel(narrow, CONTEXT, KEY));
    expect(changed).toMatchObject({ outcome: 'changed' });
  });
});

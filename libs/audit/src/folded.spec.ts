/** The quick comparison by text must never find the same what the comparison by members finds different. */
import { describe, expect, it } from 'vitest';
import type { Binding } from '#domain';
import { printOf } from './data-print.js';
import { FoldedBindings, differenceOf, isTextOf } from './folded.js';
import type { FoldedBinding } from './folded-binding.js';

const AT = '2026-03-03T09:00:00.000Z';
const LATER = '2026-03-03T09:10:00.001Z';
const BOUND: Binding = {
  id: '019570b8-5e00-7000-8000-000000000001',
  recordId: 'product-136',
  externalId: 'sku-879',
  syncDate: AT,
  data: {},
  state: 'bound',
  version: 3,
  revision: 70_000,
  createdAt: AT,
  updatedAt: LATER,
};
const removal = { unboundAt: LATER, cause: 'missingInBackend' as const };
const BINDINGS: [what: string, binding: Binding][] = [
  ['bound', BOUND],
  ['never synchronized', { ...BOUND, syncDate: null }],
  ['pending', { ...BOUND, externalId: null, state: 'pending' }],
  ['with data', { ...BOUND, data: { a: 1, b: { c: [null, 'x'] } } }],
  ['with long data', { ...BOUND, data: { a: 'x'.repeat(100) } }],
  ['unbound', { ...BOUND, state: 'unbound', ...removal }],
  ['unbound with a reason', { ...BOUND, state: 'unbound', ...removal, reason: '404, "gone"\n' }],
  ['with letters of any script', { ...BOUND, recordId: 'Großhandel 中', externalId: '\u{1F4D6}' }],
];
const ESCAPED: [what: string, binding: Binding][] = [
  ['quotes in the record id', { ...BOUND, recordId: 'a"b' }],
  ['a backslash in the external id', { ...BOUND, externalId: 'a\\b' }],
  ['quotes that look like the next member', { ...BOUND, recordId: 'a","b' }],
];
const WRONG: Partial<Binding>[] = [
  { recordId: 'product-13' },
  { recordId: 'product-1366' },
  { recordId: 'product-136","sku-879' },
  { externalId: null },
  { externalId: 'null' },
  { externalId: 'sku-87' },
  { syncDate: LATER },
  { syncDate: '2027-03-03T09:00:00.000Z' },
  { syncDate: AT.replace('.000', '') },
  { data: { z: 1 } },
  { data: { a: 'y'.repeat(100) } },
  { state: 'pending' },
  { version: 30 },
  { revision: 7_000 },
  { createdAt: LATER },
  { updatedAt: AT },
  { cause: 'requested' },
  { reason: 'null' },
  { unboundAt: AT },
];

function foldedOf(binding: Binding): FoldedBinding {
  const folded = new FoldedBindings().add(binding.id) as FoldedBinding;
  const { id: _, data, ...rest } = binding;
  Object.assign(folded, rest, { data: printOf(data) });
  return folded;
}

/** As a read model writes it. */
function textOf(binding: Binding, data = JSON.stringify(binding.data)): string {
  const { recordId, externalId, syncDate, state, version, revision, createdAt, updatedAt, unboundAt, cause, reason } = binding;
  // An absent member of a list is null in JSON.
  const members = [recordId, externalId, syncDate, state, version, revision, createdAt, updatedAt, unboundAt, cause, reason];
  return JSON.stringify(members) + data;
}

describe.each(BINDINGS)('a binding that is %s', (_, binding) => {
  it('is the same by its text and by its members', () => {
    const folded = foldedOf(binding);
    expect([isTextOf(textOf(binding), folded), differenceOf(binding, folded)]).toEqual([true, undefined]);
  });

  it('is another when anything in its document is changed', () => {
    const folded = foldedOf(binding);
    for (const wrong of WRONG) {
      const changed = { ...binding, ...wrong };
      if (textOf(changed) === textOf(binding)) continue;
      expect([wrong, isTextOf(textOf(changed), folded)]).toEqual([wrong, false]);
      expect([wrong, differenceOf(changed, folded)]).toEqual([wrong, expect.any(String)]);
    }
  });

  it('is not known by a text with more or less in it, or with the print in place of the data', () => {
    const folded = foldedOf(binding);
    const text = textOf(binding);
    for (let length = 0; length < text.length; length += 1) expect(isTextOf(text.slice(0, length), folded)).toBe(false);
    expect([isTextOf(`${text} `, folded), isTextOf(`${text}{}`, folded)]).toEqual([false, false]);
    if (!folded.data.startsWith('{')) expect(isTextOf(textOf(binding, folded.data), folded)).toBe(false);
  });
});

it.each(ESCAPED)('%s are left to the comparison by members', (_, binding) => {
  const folded = foldedOf(binding);
  expect([isTextOf(textOf(binding), folded), differenceOf(binding, folded)]).toEqual([false, undefined]);
});

it('what a binding is, is read back as it was written, also when its ids change', () => {
  const folded = foldedOf(BOUND);
  for (const ids of [{ recordId: 'a', externalId: null }, { recordId: 'much longer than before', externalId: 'x' }, BOUND]) {
    Object.assign(folded, { recordId: ids.recordId, externalId: ids.externalId });
    expect([folded.recordId, folded.externalId]).toEqual([ids.recordId, ids.externalId]);
    expect([folded.isRecord(ids.recordId), folded.isExternalId(ids.externalId)]).toEqual([true, true]);
    expect([folded.isRecord('b'), folded.isExternalId('y'), folded.isExternalId(null)]).toEqual([
      false,
      false,
      ids.externalId === null,
    ]);
  }
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { refuse, type Answer, type Binding } from '#domain';
import { locateResult } from '#ledger';
import { answerLine } from './answer-line.js';

const text = fc.string({ unit: 'binary' });
const instant = fc.constantFrom('2026-03-03T09:30:00.000Z', '0100-01-01T00:00:00.000Z');
const binding: fc.Arbitrary<Binding> = fc.record(
  {
    id: text,
    recordId: text,
    externalId: fc.option(text),
    syncDate: fc.option(instant),
    data: fc.dictionary(text, fc.jsonValue()) as fc.Arbitrary<Binding['data']>,
    state: fc.constantFrom('pending', 'bound', 'unbound'),
    version: fc.nat(),
    revision: fc.nat(),
    createdAt: instant,
    updatedAt: instant,
    unboundAt: instant,
    cause: fc.constant('requested'),
    reason: text,
  },
  {
    requiredKeys: ['id', 'recordId', 'externalId', 'syncDate', 'data', 'state', 'version', 'revision', 'createdAt', 'updatedAt'],
  },
);
const answer: fc.Arbitrary<Answer> = fc.record(
  {
    outcome: fc.constantFrom('created', 'moved'),
    binding: fc.option(binding),
    revision: fc.nat(),
    bindings: fc.array(binding, { maxLength: 2 }),
    displaced: binding,
  },
  { requiredKeys: ['outcome', 'binding', 'revision'] },
);
const place = fc.record({
  backend: fc.constantFrom('shop-1', 'shop-2'),
  model: fc.constantFrom('shop.product', 'shop.partner'),
  localModel: fc.constantFrom('product', 'part"ner', null),
});

it('says of a result what the platform says of it, member for member', () => {
  fc.assert(
    fc.property(fc.nat(), answer, place, (line, given, at) => {
      const result = locateResult(at, given);
      expect(answerLine(line, result)).toBe(`${JSON.stringify({ line, ...result })}\n`);
    }),
    { numRuns: 2_000 },
  );
});

it('says of a refusal what is wrong', () => {
  const refused = answerLine(7, refuse('NOT_BOUND', 'record "a" is not bound'));
  expect(JSON.parse(refused)).toMatchObject({ line: 7, error: { code: 'NOT_BOUND', detail: 'record "a" is not bound' } });
  expect(refused.endsWith('}\n')).toBe(true);
});

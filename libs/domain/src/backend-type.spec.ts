import { describe, expect, it } from 'vitest';
import { MAX_VERSIONS, decideBackendType, type BackendType, type DefineBackendType } from './backend-type.js';
import { isRefusal } from './refusals.js';
import type { JsonObject } from './values.js';

const LENIENT = { problemsOfSchema: () => [], problemsOf: () => [] };
const decide = (command: Partial<DefineBackendType>, current?: BackendType, usedVersions: string[] = []) =>
  decideBackendType(current, { type: 'magento', ...command }, { validator: LENIENT, usedVersions });
const codeOf = (answer: ReturnType<typeof decide>) => (isRefusal(answer) ? answer.refused : 'done');

function defined(command: Partial<DefineBackendType>): BackendType {
  const events = decide(command);
  if (isRefusal(events) || events[0] === undefined) throw new Error(JSON.stringify(events));
  return events[0].data;
}

describe('a backend type', () => {
  it('has defaults for what is not given', () => {
    expect(defined({})).toEqual({ type: 'magento', label: 'magento', versions: [], settingsSchema: null });
    expect(defined({ versions: [{ value: '1.7' }, { value: '2', label: 'Two' }] }).versions).toEqual([
      { value: '1.7', label: '1.7' },
      { value: '2', label: 'Two' },
    ]);
  });

  it('changes nothing when it is put as it is, in whatever order its members are', () => {
    const current = defined({ label: 'Magento', settingsSchema: { type: 'object', title: 'A' } });
    expect(decide({ label: 'Magento', settingsSchema: { title: 'A', type: 'object' } }, current)).toEqual([]);
    expect(decide({ label: 'Magento' }, current)).toMatchObject([{ type: 'BackendTypeDefined', data: { settingsSchema: null } }]);
  });

  it('takes versions away that nobody uses, and keeps the others', () => {
    const current = defined({ versions: [{ value: '1.6' }, { value: '1.7' }, { value: '2.0' }] });
    expect(codeOf(decide({ versions: [{ value: '1.7' }] }, current, ['1.7']))).toBe('done');
    const refusal = decide({ versions: [{ value: '1.6' }, { value: '3.0' }] }, current, ['1.7', '1.6', '2.0']);
    expect(refusal).toMatchObject({ refused: 'VERSION_IN_USE', details: { versions: ['1.7', '2.0'] } });
  });

  it.each<[string, Partial<DefineBackendType>, string]>([
    ['an empty name', { type: '' }, 'INVALID_ID'],
    ['a name with a slash', { type: 'a/b' }, 'INVALID_ID'],
    ['an empty label', { label: '' }, 'MALFORMED'],
    ['a label with a line feed', { label: 'a\nb' }, 'MALFORMED'],
    ['a long label', { label: 'x'.repeat(201) }, 'MALFORMED'],
    ['an empty version', { versions: [{ value: '' }] }, 'MALFORMED'],
    ['a version twice', { versions: [{ value: '1' }, { value: '1', label: 'again' }] }, 'MALFORMED'],
    ['too many versions', { versions: Array.from({ length: MAX_VERSIONS + 1 }, (_, n) => ({ value: String(n) })) }, 'MALFORMED'],
    ['a schema that leads elsewhere', { settingsSchema: { $ref: 'https://example.com' } }, 'INVALID_SCHEMA'],
    ['a schema that is a list', { settingsSchema: [] as unknown as JsonObject }, 'INVALID_SCHEMA'],
    ['secrets that cannot be told apart', { settingsSchema: { additionalProperties: { 'x-secret': true } } }, 'INVALID_SCHEMA'],
  ])('is refused with %s', (_what, command, code) => {
    expect(codeOf(decide(command))).toBe(code);
  });
});

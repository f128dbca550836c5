import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { Patterns, sizeOf } from './pattern.js';

const instructionsOf = (source: string) => RE2JS.compile(source).programSize();

describe('the size of a pattern', () => {
  it.each([
    '',
    'abc',
    '^[A-Z]{2}[0-9]{9}$',
    '(a[ab]{0,30}){30}[cd]',
    '(?:a|b|){0,20}?',
    '(?P<name>x{3,}){4,}',
    '(?i)straße{5}',
    '[]a]{10}[^]a]{10}[[:alpha:]{2}]{10}',
    '[\\]{9}]{10}',
    '\\Q(a[b{5}\\E{10}',
    '\\p{L}{10}\\pN{10}\\x{41}{10}\\x41{10}\\101{10}',
    'a{0}b{1}c{2}',
    'a{,5}b{x}{3}',
    '((a{3}){4}){5}',
    'x*y+z??(a|b)*?',
    'é{100}😀{100}',
  ])('is not told smaller than it is: %s', (source) => {
    expect(sizeOf(source).instructions).toBeGreaterThanOrEqual(instructionsOf(source));
  });

  it('is not told much larger than it is', () => {
    for (const source of ['^[A-Z]{2}[0-9]{9}$', '(a[ab]{0,30}){30}[cd]', '^[\\w.+-]+@[\\w-]+\\.[\\w.]+$', '(a|b|ab){40}c'])
      expect(sizeOf(source).instructions).toBeLessThan(2.5 * instructionsOf(source));
  });

  it('holds for any that the engine takes', () => {
    const part = fc.constantFrom(
      'a',
      'bc',
      '[a-z]',
      '[^]x]',
      '[]',
      '\\d',
      '\\pL',
      '\\Q',
      '\\E',
      '(',
      '(?:',
      '(?i)',
      '(?<n>',
      '(?i:',
      ')',
      '|',
      '*',
      '+',
      '?',
      '{2}',
      '{0,9}',
      '{3,}',
      '{',
      '}',
      ']',
      '[',
      '^',
      '$',
      '.',
      '\\[',
      '\\(',
      '[[:digit:]]',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
        const source = parts.join('');
        let instructions = 0;
        try {
          instructions = instructionsOf(source);
        } catch {
          // What the engine does not take is refused.
        }
        expect(sizeOf(source).instructions).toBeGreaterThanOrEqual(instructions);
      }),
      {
        numRuns: 3_000,
        // A flag is no item, nor is an empty quotation: what is repeated stands before it.
        examples: [[['a', '{0,9}', '(?i)', '{3,}']], [['a', '{0,9}', '\\Q', '\\E', '{3,}']]],
      },
    );
  });
});

describe('patterns', () => {
  it('answer as the engine does without a limit to its memory', () => {
    const texts = ['', 'a', 'ab', 'AB', 'Größe 40', 'a\nb', '😀', 'x'.repeat(300), 'ab'.repeat(200), 'ab-12', '\ud800'];
    const patterns = [
      '^a',
      'b$',
      '^.{1,3}$',
      '(?i)ab',
      '^\\p{L}+ ',
      '[^a]',
      'a(a|b){50}',
      '(a[ab]{0,30}){30}',
      '\\bab\\b',
      '^$',
      '^x{300}$',
      '',
    ];
    for (const pattern of patterns) {
      const engine = RE2JS.compile(RE2JS.translateRegExp(pattern));
      for (const text of texts)
        expect([pattern, text, new Patterns().of(pattern).test(text)]).toEqual([pattern, text, engine.test(text)]);
    }
  });

  it('are compiled once for a schema', () => {
    const patterns = new Patterns();
    for (let n = 0; n < 1_000; n += 1) expect(patterns.of('a{500}')).toBe(patterns.of('a{500}'));
  });
});

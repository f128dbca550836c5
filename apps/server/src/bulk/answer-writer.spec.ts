import fc from 'fast-check';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { AnswerWriter } from './answer-writer.js';

it('writes every text as its UTF-8', async () => {
  const characters = fc.constantFrom('a', 'é', '€', '😀', '\ud800', '\udc00', '\n');
  const texts = fc.array(fc.string({ unit: characters, maxLength: 40 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(texts, async (written) => {
      const response = new PassThrough({ highWaterMark: 1_048_576 });
      const writer = new AnswerWriter(response as unknown as ServerResponse, 1_000);
      for (const text of written) expect(await writer.write(text)).toBe(true);
      expect(response.read() ?? Buffer.alloc(0)).toEqual(Buffer.concat(written.map((text) => Buffer.from(text))));
    }),
  );
});

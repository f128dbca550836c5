/** Verification, digests and export. */
import { z } from 'zod';
import { digestAnswer } from './answers.js';

const HASH = /^([0-9a-f]{64})?$/;
const MAX_NAME = 201;
/** Of one ledger, compared in one go: one a night for ten years. */
const MAX_KNOWN_DIGESTS = 4_000;

/** A digest as `GET …/digest` answered it; its `at` is for people; it and `ledger`, which must be the one of the call, may be left out. */
export const digestBody = z.strictObject({
  ledger: z.string().max(MAX_NAME).optional(),
  revision: z.int().min(-1),
  hash: z.string().regex(HASH, 'must be a SHA-256 in hexadecimal'),
  at: z.string().max(40).optional(),
});

/** A call without a body verifies too. */
export const verifyBody = z
  .strictObject({
    digest: digestBody.optional().meta({ description: 'What the ledger was once, kept elsewhere.' }),
    digests: z
      .array(digestBody)
      .max(MAX_KNOWN_DIGESTS)
      .optional()
      .meta({ description: 'The same of several revisions: each is compared.' }),
    onlyAfter: z
      .boolean()
      .optional()
      .meta({ description: 'Believe the digest and recompute only the chain after it: quick, but nothing else is checked.' }),
  })
  .refine(({ digest, onlyAfter }) => onlyAfter !== true || digest !== undefined, 'onlyAfter needs a digest')
  .optional();

const bad = z.object({ revision: z.int(), eventId: z.string().nullable(), why: z.string() });

export const verifyAnswer = z
  .object({
    ok: z.boolean(),
    ledger: z.string(),
    checkedRevisions: z.int().meta({ description: 'Events that were found good.' }),
    digest: z.object({ revision: z.int(), hash: z.string(), at: z.string().optional() }),
    firstBad: bad.optional().meta({ description: 'The first event that is not what it was, or cannot have been written there.' }),
    readModel: z
      .object({
        ok: z.boolean(),
        checkpoint: z.int(),
        compared: z.int(),
        differing: z.array(z.object({ bindingId: z.string(), why: z.string() })),
        notes: z.array(z.string()),
      })
      .optional()
      .meta({ description: 'Absent when it was not compared: the events before its checkpoint are not good, or `onlyAfter`.' }),
  })
  .meta({ id: 'Verification' });

export const digestPage = z
  .object({ items: z.array(digestAnswer), nextCursor: z.string().nullable() })
  .meta({ id: 'DigestPage' });

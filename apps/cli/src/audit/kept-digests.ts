import type { Digest } from '#client';
import { readArgument } from '../arguments.js';
import { UsageError } from '../exit-codes.js';

const HASH = /^([0-9a-f]{64})?$/;

/**
 * Digests that were kept: one as JSON, or `@FILE` with one a line, as `digest --json` and `digests --json` print them. Of several
 * of one ledger the newest counts: it proves what the older ones do.
 */
export function keptDigests(argument: string): Map<string, Digest> {
  const kept = new Map<string, Digest>();
  for (const line of readArgument(argument)
    .split('\n')
    .filter((each) => each.trim() !== '')) {
    const digest = parsed(line);
    const before = kept.get(digest.ledger);
    if (before === undefined || before.revision < digest.revision) kept.set(digest.ledger, digest);
  }
  if (kept.size === 0) throw new UsageError('--digest: there is none');
  return kept;
}

function parsed(line: string): Digest {
  try {
    const digest = JSON.parse(line) as Partial<Digest> | null;
    const { ledger, revision, hash } = digest ?? {};
    if (typeof ledger === 'string' && Number.isSafeInteger(revision) && typeof hash === 'string' && HASH.test(hash))
      return digest as Digest;
  } catch {
    // Said below, as of any other line that is none.
  }
  throw new UsageError('--digest: {"ledger", "revision", "hash"} is expected, as the commands digest and digests print it');
}

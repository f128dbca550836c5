import type { Digest } from '#client';
import { readArgument } from '../arguments.js';
import { UsageError } from '../exit-codes.js';

const HASH = /^([0-9a-f]{64})?$/;

/** As many of one ledger as are compared in one go. */
const MAX_OF_LEDGER = 4_000;

/**
 * Digests that were kept, by ledger: one as JSON, or `@FILE` with one a line, as `digest --json` and `digests --json` print them. All of them
 * count: a newer one says nothing of what was rewritten before it was taken.
 */
export function keptDigests(argument: string): Map<string, Digest[]> {
  const kept = new Map<string, Digest[]>();
  const lines = readArgument(argument).split('\n');
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const digest = parsed(line);
    const of = kept.get(digest.ledger);
    if (of === undefined) kept.set(digest.ledger, [digest]);
    else if (!of.some(({ revision, hash }) => revision === digest.revision && hash === digest.hash)) of.push(digest);
  }
  if (kept.size === 0) throw new UsageError('--digest: there is none');
  for (const [ledger, of] of kept) {
    if (of.length > MAX_OF_LEDGER)
      throw new UsageError(`--digest: ${of.length} of ${ledger}, and at most ${MAX_OF_LEDGER} are compared in one go`);
  }
  return kept;
}

/** The newest, which `--only-after` believes. */
export function newestOf(digests: readonly Digest[]): Digest | undefined {
  return digests.reduce<Digest | undefined>(
    (newest, each) => (newest === undefined || each.revision > newest.revision ? each : newest),
    undefined,
  );
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

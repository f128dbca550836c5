/** `ledger verify`: one ledger or all of them, with a bar on a terminal. */
import { isLedgerError, type Digest, type Verification } from '#client';
import type { LedgerName } from '#domain';
import { EXIT, UsageError } from '../exit-codes.js';
import { progressBar, type ProgressBar } from '../import/progress-bar.js';
import type { Output } from '../output.js';
import type { Auditor } from './auditor.js';
import { keptDigests, newestOf } from './kept-digests.js';

export interface VerifyOptions {
  digest?: string;
  onlyAfter?: true;
}

const SHOWN_BINDINGS = 10;

export async function verify(
  auditor: Auditor,
  output: Output,
  [backend, model]: string[],
  { digest, onlyAfter }: VerifyOptions,
  signal: AbortSignal,
): Promise<number> {
  if (backend !== undefined && model === undefined) throw new UsageError('name a ledger by backend and model, or none for all');
  if (onlyAfter && digest === undefined) throw new UsageError('--only-after needs --digest');
  const kept = digest === undefined ? new Map<string, Digest[]>() : keptDigests(digest);
  const named = backend === undefined || model === undefined ? undefined : { backend, model };
  if (named !== undefined && digest !== undefined && !kept.has(nameOf(named)))
    throw new UsageError(`--digest: there is none of ${nameOf(named)}`);
  const ledgers = named === undefined ? await ledgersOf(auditor, kept) : [named];
  let broken = 0;
  for (const ledger of ledgers) {
    const report = await verifyOne(auditor, output, ledger, kept.get(nameOf(ledger)) ?? [], { onlyAfter, signal });
    if (!report.ok) broken += 1;
  }
  if (named === undefined && !output.json) output.note(`${ledgers.length} ledgers, ${broken} of them not what they were`);
  return broken === 0 ? EXIT.ok : EXIT.broken;
}

/** Those that there are, and those that there were when their digest was kept. */
async function ledgersOf(auditor: Auditor, kept: Map<string, Digest[]>): Promise<LedgerName[]> {
  const names = new Set(kept.keys());
  for await (const { ledger } of auditor.digests()) names.add(ledger);
  return [...names].sort().map((name) => {
    const [backend = '', model = ''] = name.split('/');
    return { backend, model };
  });
}

async function verifyOne(
  auditor: Auditor,
  output: Output,
  ledger: LedgerName,
  kept: readonly Digest[],
  { onlyAfter, signal }: { onlyAfter: true | undefined; signal: AbortSignal },
): Promise<Verification> {
  let bar: ProgressBar | undefined;
  const progress = ({ checkedRevisions, headRevision }: { checkedRevisions: number; headRevision: number }): void => {
    bar ??= progressBar(headRevision + 1, `${nameOf(ledger)} {events} events`);
    bar.update(checkedRevisions, { events: checkedRevisions });
  };
  const digests = kept.map(({ revision, hash }) => ({ revision, hash }));
  const request = onlyAfter ? { digest: newestOf(kept), digests, onlyAfter } : digests.length === 0 ? {} : { digests };
  try {
    const report = await auditor
      .verify(ledger, request, { signal, progress })
      .catch((error: unknown) => goneOf(ledger, kept, error));
    bar?.stop();
    await output.answer(report, membersOf(report));
    return report;
  } finally {
    bar?.stop();
  }
}

/** A ledger that there was, and is not any more: no event of it is what it was. @throws what else went wrong. */
function goneOf(ledger: LedgerName, kept: readonly Digest[], error: unknown): Verification {
  const newest = newestOf(kept);
  if (newest === undefined || newest.revision < 0 || !isLedgerError(error) || !error.code.endsWith('_NOT_FOUND')) throw error;
  const why = `there is no such ledger here, but the digest kept is of its revision ${newest.revision}`;
  return {
    ok: false,
    ledger: nameOf(ledger),
    checkedRevisions: 0,
    digest: { revision: -1, hash: '' },
    firstBad: { revision: 0, eventId: null, why },
  };
}

function nameOf({ backend, model }: LedgerName): string {
  return `${backend}/${model}`;
}

function membersOf({ ok, ledger, checkedRevisions, digest, firstBad, readModel }: Verification): Record<string, unknown> {
  const differing = readModel?.differing ?? [];
  return {
    ledger,
    result: ok ? 'it is what it was' : 'NOT what it was',
    'good events': checkedRevisions,
    digest: `${digest.revision} ${digest.hash}`,
    'first bad': firstBad === undefined ? undefined : `revision ${firstBad.revision}, event ${firstBad.eventId ?? 'unknown'}`,
    why: firstBad?.why,
    'read model':
      readModel === undefined ? 'not compared' : `${readModel.compared} bindings are the same, ${differing.length} differ`,
    ...Object.fromEntries(differing.slice(0, SHOWN_BINDINGS).map(({ bindingId, why }) => [bindingId, why])),
    ...Object.fromEntries((readModel?.notes ?? []).map((note, index) => [`note ${index + 1}`, note])),
  };
}

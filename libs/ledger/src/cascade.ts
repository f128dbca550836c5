import { isRefusal, ledgerKey, type Command, type LedgerName, type RefusalCode, type RequestContext } from '#domain';
import type { LocatedBinding } from '#read-model';
import type { LocatedRefusal, LocatedResult } from './located.js';
import type { BindingLedger } from './binding-ledger.js';

export interface RecordDeletion {
  unbound: LocatedBinding[];
  /** Ledgers in which the record may still be bound; deleting it once more tries them again. */
  refused: { ledger: string; code: RefusalCode; detail: string }[];
  /** Of each ledger in which something was unbound: the revision that a read must include to see it. */
  revisions: { ledger: string; revision: number }[];
}

export interface DeletedRecord {
  localModel: string;
  recordId: string;
  reason?: string;
  /** Idempotency key: what was unbound with it before is answered again. */
  key?: string;
}

export interface CascadeTools {
  ledger: Pick<BindingLedger, 'execute' | 'executeAtomic'>;
  /** From the streams, since the read model may be behind them. */
  ledgersOfLocalModel(localModel: string): Promise<LedgerName[]>;
}

/** At most this many ledgers are asked at once. */
const LEDGERS_AT_ONCE = 16;

/**
 * The record was deleted: unbinds it in every ledger of its local model (`on delete cascade`). Each ledger's writer does it, so
 * that it sees what is not projected yet. Repeating it is harmless. A key that one of the ledgers knows of another request is refused
 * before anything is unbound; only one that is used at the same moment, or by another process, is noticed on the way.
 */
export async function deleteRecord(tools: CascadeTools, record: DeletedRecord, context: RequestContext): Promise<RecordDeletion> {
  const ledgers = await tools.ledgersOfLocalModel(record.localModel);
  if (record.key !== undefined) {
    const reused = deletionOf(await inTurns(ledgers, (ledger) => reuseOfKey(tools, ledger, record, context)));
    if (reused.refused.length > 0) return reused;
  }
  return deletionOf(await inTurns(ledgers, (ledger) => unbindAll(tools, ledger, record, context)));
}

async function inTurns<T>(
  ledgers: readonly LedgerName[],
  ask: (ledger: LedgerName) => Promise<T>,
): Promise<(readonly [LedgerName, T])[]> {
  const answers: (readonly [LedgerName, T])[] = [];
  for (let start = 0; start < ledgers.length; start += LEDGERS_AT_ONCE) {
    const some = ledgers.slice(start, start + LEDGERS_AT_ONCE);
    answers.push(...(await Promise.all(some.map(async (ledger) => [ledger, await ask(ledger)] as const))));
  }
  return answers;
}

/** No binding has an empty id, so this is always refused, and with it the atomic batch that it stands in. */
const NEVER_DONE: Command = { op: 'changeData', bindingId: '', data: {} };

/** Why the ledger would refuse the deletion for its key, decided by the ledger's writer together with something that keeps it from being done. */
async function reuseOfKey(
  { ledger }: CascadeTools,
  of: LedgerName,
  record: DeletedRecord,
  context: RequestContext,
): Promise<LocatedRefusal | undefined> {
  const commands = [deletionIn(record), NEVER_DONE].map((command) => ({ command, context }));
  const refusals = await ledger.executeAtomic(of, commands);
  const named = isRefusal(refusals)
    ? (refusals.details?.['refusals'] as { code: RefusalCode; detail: string }[] | undefined)
    : [];
  const reused = named?.find(({ code }) => code === 'IDEMPOTENCY_KEY_REUSED');
  return reused === undefined ? undefined : { refused: reused.code, detail: reused.detail };
}

function unbindAll(
  { ledger }: CascadeTools,
  of: LedgerName,
  record: DeletedRecord,
  context: RequestContext,
): Promise<LocatedResult> {
  return ledger.execute(of, deletionIn(record), context);
}

function deletionIn({ recordId, reason, key }: DeletedRecord): Command {
  const command: Command = { op: 'unbind', recordId, cause: 'recordDeleted', all: true, reason };
  return key === undefined ? command : { ...command, key };
}

function deletionOf(answers: readonly (readonly [LedgerName, LocatedResult | undefined])[]): RecordDeletion {
  const deletion: RecordDeletion = { unbound: [], refused: [], revisions: [] };
  for (const [ledger, result] of answers) if (result !== undefined) add(deletion, ledger, result);
  return deletion;
}

function add(deletion: RecordDeletion, ledger: LedgerName, result: LocatedResult): void {
  if (!isRefusal(result)) {
    const { bindings = [], revision } = result;
    deletion.unbound.push(...bindings);
    if (bindings.length > 0) deletion.revisions.push({ ledger: ledgerKey(ledger), revision });
    return;
  }
  // A ledger is closed only while none of its bindings is live, so there is nothing of the record in it.
  if (result.refused !== 'LEDGER_CLOSED')
    deletion.refused.push({ ledger: ledgerKey(ledger), code: result.refused, detail: result.detail });
}

import { isRefusal, ledgerKey, type Command, type LedgerName, type RefusalCode, type RequestContext } from '#domain';
import type { LocatedBinding } from '#read-model';
import type { LocatedResult } from './located.js';
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
  ledger: Pick<BindingLedger, 'execute'>;
  /** From the streams, since the read model may be behind them. */
  ledgersOfLocalModel(localModel: string): Promise<LedgerName[]>;
}

/** At most this many ledgers are asked at once. */
const LEDGERS_AT_ONCE = 16;

/**
 * The record was deleted: unbinds it in every ledger of its local model (`on delete cascade`). Each ledger's writer does it, so
 * that it sees what is not projected yet. Repeating it is harmless.
 */
export async function deleteRecord(tools: CascadeTools, record: DeletedRecord, context: RequestContext): Promise<RecordDeletion> {
  const deletion: RecordDeletion = { unbound: [], refused: [], revisions: [] };
  const ledgers = await tools.ledgersOfLocalModel(record.localModel);
  for (let start = 0; start < ledgers.length; start += LEDGERS_AT_ONCE) {
    const some = ledgers.slice(start, start + LEDGERS_AT_ONCE);
    const results = await Promise.all(some.map((ledger) => unbindAll(tools, ledger, record, context)));
    for (const [index, result] of results.entries()) add(deletion, some[index] as LedgerName, result);
  }
  return deletion;
}

function unbindAll(
  { ledger }: CascadeTools,
  of: LedgerName,
  { recordId, reason, key }: DeletedRecord,
  context: RequestContext,
): Promise<LocatedResult> {
  const command: Command = { op: 'unbind', recordId, cause: 'recordDeleted', all: true, reason };
  return ledger.execute(of, key === undefined ? command : { ...command, key }, context);
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

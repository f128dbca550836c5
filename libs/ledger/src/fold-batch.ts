import {
  evolveLedgerBy,
  idempotencyRecordOf,
  isBindingEvent,
  stampOf,
  updateOf,
  type IdempotencyRecord,
  type LedgerName,
  type RecordedLedgerEvent,
} from '#domain';
import { historyRowOf, type BindingWrite, type HistoryRow, type LedgerBatch, type LedgerDocument } from '#read-model';

/** Where a ledger stands: what its document says, as far as a projector knows. */
export type Progress = Pick<LedgerDocument, 'generation' | 'checkpoint' | 'state'>;

/** Folds consecutive events of a ledger to one write per binding. Nothing is read for it: each event carries its identity. */
export function foldBatch(ledger: LedgerName, progress: Progress, events: readonly RecordedLedgerEvent[]): LedgerBatch {
  const writes = new Map<string, BindingWrite>();
  const history: HistoryRow[] = [];
  const idempotency: IdempotencyRecord[] = [];
  for (const event of events) {
    if (!isBindingEvent(event)) continue;
    const stamp = stampOf(event);
    const update = updateOf(event, stamp);
    const write = writes.get(update.id);
    const row = historyRowOf(event, event.revision);
    if (write !== undefined) Object.assign(write.update, update);
    else writes.set(update.id, row === undefined ? { createdRevision: event.revision, update } : { update });
    if (row !== undefined) history.push(row);
    const stored = event.metadata.idempotency;
    if (stored !== undefined) idempotency.push(idempotencyRecordOf(event, stamp, event.metadata.actor, stored));
  }
  const last = events.at(-1);
  if (last === undefined) throw new Error('broken invariant: a batch has at least one event');
  const { hash, at } = last.metadata;
  const { generation, checkpoint } = progress;
  return {
    ledger,
    generation,
    after: checkpoint,
    to: last.revision,
    hash,
    at,
    state: evolveLedgerBy(progress.state, events),
    bindings: [...writes.values()],
    history,
    idempotency,
  };
}

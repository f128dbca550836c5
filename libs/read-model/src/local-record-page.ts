import { setImmediate as breath } from 'node:timers/promises';
import { ledgerKey } from '#domain';
import { cursorScope, decodeCursor, encodeCursor } from './cursor.js';
import { bytesOf, PageSteps } from './page-size.js';
import { MAX_PAGE_BINDINGS, type LocalRecordPage, type LocatedBinding, type ReadModel } from './port.js';

export interface LocalRecordQuery {
  localModel: string;
  recordId: string;
  includeUnbound: boolean;
}

/** One page of a record's bindings in all ledgers; like a listing's it may end early. @throws {ReadModelError} `BAD_CURSOR` */
export async function readLocalRecordPage(
  readModel: Pick<ReadModel, 'findOfLocalRecord'>,
  { localModel, recordId, includeUnbound }: LocalRecordQuery,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<{ items: LocatedBinding[]; nextCursor: string | null }> {
  const scope = cursorScope({ backend: '', model: localModel }, includeUnbound ? { recordId, state: 'unbound' } : { recordId });
  const size = Math.min(Math.max(1, Math.trunc(limit)), MAX_PAGE_BINDINGS);
  const items: LocatedBinding[] = [];
  let after: LocalRecordPage['after'];
  if (cursor !== undefined) {
    const { date: ledger, id } = decodeCursor(cursor, scope);
    after = { ledger, id };
  }
  for (const steps = new PageSteps(size + 1); ;) {
    const { rows } = steps;
    const bindings = await readModel.findOfLocalRecord(localModel, recordId, includeUnbound, { limit: rows, after });
    for (const binding of bindings) {
      const last = items.at(-1);
      if (last !== undefined && (items.length === size || steps.full))
        return { items, nextCursor: encodeCursor(scope, { date: ledgerKey(last), id: last.id }) };
      items.push(binding);
      steps.took(bytesOf(binding.data));
    }
    const last = bindings.at(-1);
    if (last === undefined || bindings.length < rows) return { items, nextCursor: null };
    after = { ledger: ledgerKey(last), id: last.id };
    steps.read(bindings.reduce((bytes, { data }) => bytes + bytesOf(data), 0));
    await breath();
  }
}

/** The deletion of a local record. */
import type { Command } from 'commander';
import { isLedgerError, type Binding, type BindingLedgerClient } from '#client';
import { EXIT } from '../exit-codes.js';
import { inSession, leaf } from '../leaf.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { BINDING_COLUMNS } from './show-binding.js';

const COLUMNS: Column<Binding>[] = [['ledger', ({ backend, model }) => `${backend}/${model}`], ...BINDING_COLUMNS];

interface Refused {
  ledger: string;
  code: string;
  detail?: string;
}

/** Beside what is asked of a record. */
export function addRecordDeletion(program: Command): void {
  const records = program.commands.find((command) => command.name() === 'records');
  if (records === undefined) throw new Error('broken invariant: there are no commands of records');
  leaf(records, 'delete <local-model> <record>', 'the record was deleted: unbind it everywhere')
    .option('--reason <text>', 'recorded in the events')
    .action(
      inSession<{ reason?: string }>(async ({ client, output }, [localModel = '', recordId = ''], { reason }) => {
        // Nothing is bound of a model that nobody has heard of, so a slip of the pen would look like a success.
        if (!(await isBound(client, output, localModel))) return EXIT.notFound;
        try {
          const deletion = await client.records(localModel, recordId).delete({ reason });
          if (output.json) await output.answer(deletion, {});
          else await output.rows(deletion.unbound, COLUMNS);
          return EXIT.ok;
        } catch (error) {
          await showPart(output, error);
          throw error;
        }
      }),
    );
}

/** What was done of a deletion that some ledgers refused. */
async function showPart(output: Output, error: unknown): Promise<void> {
  if (output.json || !isLedgerError(error)) return;
  const { unbound = [], refused = [] } = error.problem as { unbound?: Binding[]; refused?: Refused[] };
  if (unbound.length > 0) await output.rows(unbound, COLUMNS);
  for (const { ledger, code, detail } of refused) output.note(`${ledger}: ${code}${detail === undefined ? '' : `: ${detail}`}`);
}

async function isBound(client: BindingLedgerClient, output: Output, localModel: string): Promise<boolean> {
  const models = new Set((await client.models.list()).map((model) => model.localModel).filter((name) => name !== null));
  if (models.has(localModel)) return true;
  const known = models.size === 0 ? 'there are no models yet' : `there are ${[...models].toSorted().join(', ')}`;
  output.note(`ledger: no model binds records of ${JSON.stringify(localModel)}: ${known}`);
  return false;
}

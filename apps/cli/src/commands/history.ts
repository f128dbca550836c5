/** What was: the history of a binding, a record or an external id, and a record across ledgers. */
import type { Command } from 'commander';
import type { HistoryEvent, Listing } from '#client';
import { count, targetOf } from '../arguments.js';
import { inSession, leaf } from '../leaf.js';
import { READ_OWN_WRITES } from '../read-options.js';
import type { Context } from '../session.js';
import type { Column } from '../table.js';
import { BINDING_COLUMNS } from './show-binding.js';

interface PageOptions {
  limit?: number;
  cursor?: string;
}

interface HistoryOptions extends PageOptions {
  record?: string;
  external?: string;
  binding?: string;
}

const HISTORY_COLUMNS: Column<HistoryEvent>[] = [
  ['revision', ({ revision }) => revision],
  ['at', ({ at }) => at],
  ['event', ({ type }) => type],
  ['record', ({ recordId, previousRecordId }) => fromTo(previousRecordId, recordId)],
  ['external id', ({ externalId, previousExternalId }) => fromTo(previousExternalId, externalId)],
  ['sync date', ({ syncDate, previousSyncDate }) => (syncDate === undefined ? undefined : fromTo(previousSyncDate, syncDate))],
  ['data', ({ data, previousData }) => (data === undefined ? undefined : fromTo(textOf(previousData), JSON.stringify(data)))],
  ['cause', ({ cause }) => cause],
  ['actor', ({ actor, onBehalfOf }) => (onBehalfOf === undefined ? actor : `${actor} for ${onBehalfOf}`)],
  ['reason', ({ reason }) => reason],
  ['correlation id', ({ correlationId }) => correlationId],
];

export function addHistoryCommands(program: Command): void {
  paged(leaf(program, 'history <backend> <model>', 'what happened to a binding, a record or an external id'))
    .option('--record <id>', 'everything that was ever bound to this record')
    .option('--external <id>', 'everything that was ever bound to this external id')
    .option('--binding <id>', 'this binding')
    .action(
      inSession<HistoryOptions>(async (context, [backend = '', model = ''], options) => {
        const ledger = context.client.ledger(backend, model);
        const listing = ledger.history(targetOf(options), { limit: options.limit }, READ_OWN_WRITES);
        await showHistory(context, listing, HISTORY_COLUMNS, options);
      }),
    );
  const records = program.command('records').description('a local record, on all backends');
  leaf(records, 'bindings <local-model> <record>', 'list its live bindings')
    .option('--backend-type <type>', 'on backends of this type')
    .option('--unbound', 'former ones too')
    .option('--as-of <instant>', 'as they were then: ISO 8601 with zone')
    .action(
      inSession<{ backendType?: string; unbound?: true; asOf?: string }>(
        async ({ client, output }, [localModel = '', recordId = ''], { backendType, unbound, asOf }) => {
          const query = { backendType, includeUnbound: unbound, asOf };
          await output.rows(await client.records(localModel, recordId).bindings(query), [...LEDGER_COLUMNS, ...BINDING_COLUMNS]);
        },
      ),
    );
  paged(leaf(records, 'history <local-model> <record>', 'what happened to its bindings, in the order of the store')).action(
    inSession<PageOptions>(async (context, [localModel = '', recordId = ''], options) => {
      const listing = context.client.records(localModel, recordId).history({ limit: options.limit });
      await showHistory(context, listing, [...LEDGER_COLUMNS, ...HISTORY_COLUMNS], options);
    }),
  );
}

const LEDGER_COLUMNS: Column<{ backend: string; model: string }>[] = [
  ['backend', ({ backend }) => backend],
  ['model', ({ model }) => model],
];

function paged(command: Command): Command {
  return command
    .option('--limit <n>', 'one page of at most so many', count)
    .option('--cursor <cursor>', 'the page that begins here');
}

async function showHistory(
  { output }: Context,
  listing: Listing<HistoryEvent>,
  columns: Column<HistoryEvent>[],
  { limit, cursor }: PageOptions,
): Promise<void> {
  if (limit === undefined && cursor === undefined) {
    await output.rows(listing, columns);
    return;
  }
  const page = await listing.page(cursor);
  if (output.json) return output.answer(page, {});
  await output.rows(page.items, columns);
  if (page.nextCursor !== null) output.note(`more: --cursor ${page.nextCursor}`);
}

/** A value, or what became what. */
function fromTo(before: string | null | undefined, after: string | null): string | null {
  return before === undefined || before === after ? after : `${before ?? '-'} → ${after ?? '-'}`;
}

function textOf(data: object | undefined): string | undefined {
  return data === undefined ? undefined : JSON.stringify(data);
}

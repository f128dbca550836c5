/** Lookups, listings and the state of a ledger. */
import type { Command } from 'commander';
import type { BindingState, Ledger, LookedUpBinding, Moment } from '#client';
import { collect, count, fieldFilter } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { inSession, leaf } from '../leaf.js';
import { AS_OF, READ_OWN_WRITES } from '../read-options.js';
import { lookUpMany, type Side } from './lookup-many.js';
import { BINDING_COLUMNS, membersOf } from './show-binding.js';

interface LookupOptions {
  external?: string[];
  record?: string[];
  asOf?: string;
}

interface ListOptions {
  record?: string;
  external?: string;
  state?: BindingState;
  syncedBefore?: string;
  syncedAfter?: string;
  createdBefore?: string;
  where?: Record<string, string>;
  asOf?: string;
  limit?: number;
  cursor?: string;
}

export function addReadCommands(program: Command): void {
  addLookup(program);
  addList(program);
  addStatus(program);
}

function addLookup(program: Command): void {
  leaf(program, 'lookup <backend> <model>', 'which record is an external id, or the other way')
    .option('--external <id>', 'external id; may be repeated; "-": one a line from standard input', collect)
    .option('--record <id>', 'record id; likewise', collect)
    .option('--as-of <instant|revision:n>', AS_OF)
    .action(
      inSession<LookupOptions>(async ({ client, output }, [backend = '', model = ''], { external, record, asOf }) => {
        const ids = external ?? record;
        if (ids === undefined || (external !== undefined && record !== undefined))
          throw new UsageError('either --external or --record');
        const side: Side = external === undefined ? 'record' : 'external';
        const ledger = client.ledger(backend, model);
        if (ids.length > 1 || ids[0] === '-') {
          if (asOf !== undefined) throw new UsageError('--as-of looks up one id');
          return lookUpMany(ledger, side, ids[0] === '-' ? process.stdin : ids, output);
        }
        const binding = await lookUpOne(ledger, side, ids[0] as string, asOf);
        await output.answer(binding, { ...membersOf(binding), 'as of': momentOf(binding.asOf) });
        return EXIT.ok;
      }),
    );
}

function lookUpOne(ledger: Ledger, side: Side, id: string, asOf: string | undefined): Promise<LookedUpBinding> {
  const options = { ...READ_OWN_WRITES, asOf };
  return side === 'external' ? ledger.toInternal(id, options) : ledger.toExternal(id, options);
}

function momentOf(moment: Moment | undefined): string | undefined {
  return moment === undefined ? undefined : `revision ${moment.revision}, recorded ${moment.at ?? 'never'}`;
}

function addList(program: Command): void {
  leaf(program, 'list <backend> <model>', 'list bindings; by default the live ones')
    .option('--record <id>', 'of this record')
    .option('--external <id>', 'with this external id')
    .option('--state <pending|bound|unbound>', 'in this state')
    .option('--synced-before <instant>', 'synchronized before, or never; the oldest first')
    .option('--synced-after <instant>', 'synchronized after')
    .option('--created-before <instant>', 'created before')
    .option('--where <field=value>', 'with this in an indexed member of the data; may be repeated', fieldFilter)
    .option('--as-of <instant|revision:n>', `${AS_OF}; with --state alone`)
    .option('--limit <n>', 'one page of at most so many', count)
    .option('--cursor <cursor>', 'the page that begins here')
    .action(
      inSession<ListOptions>(async ({ client, output }, [backend = '', model = ''], options) => {
        const { record, external, where, limit, cursor, state, syncedBefore, syncedAfter, createdBefore } = options;
        const filter = {
          recordId: record,
          externalId: external,
          state,
          syncedBefore,
          syncedAfter,
          createdBefore,
          data: where,
          asOf: options.asOf,
          limit,
        };
        const listing = client.ledger(backend, model).bindings(filter, READ_OWN_WRITES);
        if (limit === undefined && cursor === undefined) {
          await output.rows(listing, BINDING_COLUMNS);
          return;
        }
        const page = await listing.page(cursor);
        if (output.json) return output.answer(page, {});
        await output.rows(page.items, BINDING_COLUMNS);
        if (page.nextCursor !== null) output.note(`more: --cursor ${page.nextCursor}`);
      }),
    );
}

function addStatus(program: Command): void {
  leaf(program, 'status <backend> <model>', 'state and counts of a ledger').action(
    inSession(async ({ client, output }, [backend = '', model = '']) => {
      const status = await client.ledger(backend, model).status(READ_OWN_WRITES);
      const { state, live, pending, unbound, newestSyncDate, headRevision, projectedRevision } = status;
      const revision = projectedRevision === headRevision ? headRevision : `${headRevision} (readable: ${projectedRevision})`;
      await output.answer(status, { state, live, pending, unbound, 'newest sync': newestSyncDate, revision });
    }),
  );
  leaf(program, 'digest <backend> <model>', 'a hash of the whole history, to keep elsewhere').action(
    inSession(async ({ client, output }, [backend = '', model = '']) => {
      const digest = await client.ledger(backend, model).digest();
      await output.answer(digest, { ...digest });
    }),
  );
}

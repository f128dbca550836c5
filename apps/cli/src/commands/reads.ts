/** Lookups, listings and the state of a ledger. */
import type { Command } from 'commander';
import type { Binding, BindingState, Ledger } from '#client';
import { collect, count, fieldFilter } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { inSession, leaf } from '../leaf.js';
import { READ_OWN_WRITES } from '../read-options.js';
import { lookUpMany, type Side } from './lookup-many.js';
import { BINDING_COLUMNS, EVENT_COLUMNS, membersOf } from './show-binding.js';

interface LookupOptions {
  external?: string[];
  record?: string[];
}

interface ListOptions {
  record?: string;
  external?: string;
  state?: BindingState;
  syncedBefore?: string;
  syncedAfter?: string;
  createdBefore?: string;
  where?: Record<string, string>;
  limit?: number;
  cursor?: string;
}

export function addReadCommands(program: Command): void {
  addLookup(program);
  addList(program);
  addEvents(program);
  addStatus(program);
}

function addLookup(program: Command): void {
  leaf(program, 'lookup <backend> <model>', 'which record is an external id, or the other way')
    .option('--external <id>', 'external id; may be repeated; "-": one a line from standard input', collect)
    .option('--record <id>', 'record id; likewise', collect)
    .action(
      inSession<LookupOptions>(async ({ client, output }, [backend = '', model = ''], { external, record }) => {
        const ids = external ?? record;
        if (ids === undefined || (external !== undefined && record !== undefined))
          throw new UsageError('either --external or --record');
        const side: Side = external === undefined ? 'record' : 'external';
        const ledger = client.ledger(backend, model);
        if (ids.length > 1 || ids[0] === '-') {
          return lookUpMany(ledger, side, ids[0] === '-' ? process.stdin : ids, output);
        }
        const binding = await lookUpOne(ledger, side, ids[0] as string);
        await output.answer(binding, membersOf(binding));
        return EXIT.ok;
      }),
    );
}

function lookUpOne(ledger: Ledger, side: Side, id: string): Promise<Binding> {
  return side === 'external' ? ledger.toInternal(id, READ_OWN_WRITES) : ledger.toExternal(id, READ_OWN_WRITES);
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

function addEvents(program: Command): void {
  leaf(program, 'events <backend> <model>', 'what happened in the ledger, oldest first')
    .option('--after <revision>', 'only later ones', count)
    .option('--limit <n>', 'at most so many', count)
    .action(
      inSession<{ after?: number; limit?: number }>(async ({ client, output }, [backend = '', model = ''], { after, limit }) => {
        const listing = client.ledger(backend, model).events({ after, limit }, READ_OWN_WRITES);
        await output.rows(limit === undefined ? listing.stream() : (await listing.page()).items, EVENT_COLUMNS);
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

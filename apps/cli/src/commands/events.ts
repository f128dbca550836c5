/** What happened: in one ledger, in all of them, and as it happens. */
import { Option, type Command } from 'commander';
import type { BindingEvent, BindingEventType, BindingLedgerClient, Direction, EventFilter, RemovalCause } from '#client';
import { collect, count } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { inSession, leaf } from '../leaf.js';
import type { Output } from '../output.js';
import { READ_OWN_WRITES } from '../read-options.js';
import type { Context } from '../session.js';
import { ACROSS_COLUMNS, EVENT_COLUMNS } from './show-binding.js';
import { untilInterrupted } from '../interruption.js';

interface EventsOptions {
  follow?: true;
  after?: string;
  from?: 'start';
  limit?: number;
  type?: BindingEventType[];
  record?: string[];
  cause?: RemovalCause[];
  direction?: Direction[];
  actor?: string[];
  correlationId?: string[];
}

/** The most that a page has. */
const PAGE = 500;

export function addEventCommands(program: Command): void {
  leaf(program, 'events [backend] [model]', 'what happened, oldest first: in one ledger, or to the bindings of all of them')
    .option('--follow', 'go on with what happens, until it is stopped')
    .option('--after <revision|position>', 'only later ones: of one ledger after a revision, else after a position')
    .addOption(
      new Option('--from <start>', 'everything, then go on: with --follow, which begins with what happens now').choices([
        'start',
      ]),
    )
    .option('--limit <n>', 'at most so many', count)
    .option('--type <type>', 'only events of this type; may be repeated, as all of these', collect)
    .option('--record <id>', 'only of this record', collect)
    .option('--cause <cause>', 'only removals with this cause', collect)
    .option('--direction <import|export>', 'only of commands with this direction', collect)
    .option('--actor <name>', 'only of this actor', collect)
    .option('--correlation-id <id>', 'only with this correlation id', collect)
    .action(inSession<EventsOptions>(showEvents));
}

async function showEvents(context: Context, [backend, model]: string[], options: EventsOptions): Promise<number> {
  const { follow, after, from, type, record, cause, direction, actor, correlationId, limit } = options;
  if (after !== undefined && from !== undefined) throw new UsageError('either --after or --from');
  const narrowed = [type, record, cause, direction, actor, correlationId].some((each) => each !== undefined);
  if (backend !== undefined && model !== undefined && !follow && !narrowed && from === undefined) {
    await showLedger(context, backend, model, options);
    return EXIT.ok;
  }
  const filter: EventFilter = { backend, model, type, recordId: record, cause, direction, actor, correlationId };
  const { client, output } = context;
  if (follow) return followEvents(context, filter, { after, from, limit });
  await output.rows(pagesFrom(client, filter, after ?? 'start', limit), ACROSS_COLUMNS);
  return EXIT.ok;
}

async function showLedger(
  { client, output }: Context,
  backend: string,
  model: string,
  { after, limit }: EventsOptions,
): Promise<void> {
  const revision = after === undefined ? undefined : Number(after);
  if (revision !== undefined && !Number.isSafeInteger(revision))
    throw new UsageError(
      '--after: of one ledger it is a revision, a whole number; positions go with --follow, a filter, or all ledgers',
    );
  const listing = client.ledger(backend, model).events({ after: revision, limit }, READ_OWN_WRITES);
  await output.rows(limit === undefined ? listing.stream() : (await listing.page()).items, EVENT_COLUMNS);
}

/** Up to what was recorded when the last page was read. */
async function* pagesFrom(
  client: BindingLedgerClient,
  filter: EventFilter,
  start: string,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<BindingEvent> {
  let [after, left] = [start, limit];
  for (;;) {
    const { items, nextPosition, caughtUp } = await client.events(filter, { after, limit: Math.min(PAGE, left) });
    yield* items;
    left -= items.length;
    after = nextPosition;
    if (caughtUp || left <= 0) return;
  }
}

async function followEvents(
  { client, output, where }: Context,
  filter: EventFilter,
  { after: given, from, limit = Number.POSITIVE_INFINITY }: Pick<EventsOptions, 'after' | 'from' | 'limit'>,
): Promise<number> {
  const after = given ?? from;
  // What is wrong with the request, or with the server's address, is said now; later it is tried for ever.
  let position = (await client.events(filter, { after, limit: 1 })).nextPosition;
  if (after !== undefined) position = after;
  if (!URL.canParse(where)) output.note(`following ${where}: while it is open here, no other process can write to it`);
  return untilInterrupted(async (signal) => {
    const events = client.subscribe(filter, {
      after: position,
      signal,
      onPosition: (reached) => (position = reached),
      onReconnect: ({ error, delayMs }) => output.note(`${error.code}: trying again in ${(delayMs / 1_000).toFixed(1)} s`),
    });
    await output.each(limited(events, limit), ACROSS_COLUMNS);
    if (!signal.aborted) return EXIT.ok;
    sayWhere(output, position, from);
    return EXIT.interrupted;
  });
}

function sayWhere(output: Output, position: string, from: string | undefined): void {
  const instead = from === undefined ? '' : ` in place of --from ${from}`;
  output.note(`stopped; the same command with --after ${position}${instead} goes on from there`);
}

async function* limited<T>(items: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let left = limit;
  for await (const item of items) {
    yield item;
    left -= 1;
    if (left <= 0) return;
  }
}

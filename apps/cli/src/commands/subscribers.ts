/** Durable subscribers: where they are, and what they have parked. */
import type { Command } from 'commander';
import type { ParkedBinding, Subscriber } from '#client';
import { count } from '../arguments.js';
import { UsageError } from '../exit-codes.js';
import { inSession, leaf } from '../leaf.js';
import type { Context } from '../session.js';
import type { Column } from '../table.js';

const COLUMNS: Column<Subscriber>[] = [
  ['subscriber', ({ name }) => name],
  ['state', ({ state }) => state],
  ['lag', ({ lag }) => lagOf(lag)],
  ['seconds', ({ lag }) => lag.seconds],
  ['parked', ({ parked }) => parked.events],
  ['oldest seconds', ({ parked }) => parked.oldestSeconds],
  ['instance', ({ instance }) => instance],
  ['last error', ({ lastError }) => lastError?.message],
];

const PARKED_COLUMNS: Column<ParkedBinding>[] = [
  ['backend', ({ backend }) => backend],
  ['model', ({ model }) => model],
  ['binding', ({ bindingId }) => bindingId],
  ['record', ({ recordId }) => recordId],
  ['first revision', ({ events }) => events[0]?.revision],
  ['events', ({ events }) => events.length],
  ['attempts', ({ attempts }) => attempts],
  ['error', ({ error }) => error],
];

interface BindingOptions {
  backend?: string;
  model?: string;
  binding?: string;
  reason?: string;
}

export function addSubscriberCommands(program: Command): void {
  const subscribers = program
    .command('subscribers')
    .description('durable subscribers of applications on the ledger')
    .enablePositionalOptions();
  addShowing(subscribers);
  addAsking(subscribers);
}

function addShowing(subscribers: Command): void {
  leaf(subscribers, 'list', 'list them, with how far behind they are').action(
    inSession(async ({ client, output }) => {
      await output.rows(await client.subscribers.list(), COLUMNS);
    }),
  );
  leaf(subscribers, 'show <name>', 'show a subscriber').action(
    inSession(async ({ client, output }, [name = '']) => {
      const subscriber = await client.subscribers.get(name);
      await output.answer(subscriber, membersOf(subscriber));
    }),
  );
  leaf(subscribers, 'parked <name>', 'list the bindings whose events it could not handle').action(
    inSession(async ({ client, output }, [name = '']) => {
      await output.rows(await client.subscribers.parked(name), PARKED_COLUMNS);
    }),
  );
}

function addAsking(subscribers: Command): void {
  const replay = leaf(subscribers, 'replay <name>', 'have parked events tried again: all of them, or those of one binding');
  withBinding(replay).action(
    inSession<BindingOptions>(async (context, [name = ''], options) => {
      const binding = options.binding === undefined && options.backend === undefined ? undefined : bindingOf(options);
      await told(context, await context.client.subscribers.replay(name, binding, { reason: options.reason }));
    }),
  );
  const skip = leaf(subscribers, 'skip <name>', 'have the first parked event of a binding left out');
  withBinding(skip)
    .requiredOption('--revision <revision>', 'the revision of that event', count)
    .action(
      inSession<BindingOptions & { revision: number }>(async (context, [name = ''], { revision, ...options }) => {
        const skipped = { ...bindingOf(options), revision };
        await told(context, await context.client.subscribers.skip(name, skipped, { reason: options.reason }));
      }),
    );
  leaf(subscribers, 'reset <name>', 'have it go on from elsewhere, and forget what is parked')
    .requiredOption('--to <start|now|position>', 'everything again; what happens from now on; or behind an event')
    .option('--reason <text>', 'why; shown until it is done')
    .action(
      inSession<{ to: string; reason?: string }>(async (context, [name = ''], { to, reason }) => {
        await told(context, await context.client.subscribers.reset(name, to, { reason }));
      }),
    );
}

function withBinding(command: Command): Command {
  return command
    .option('--backend <id>', 'of the binding')
    .option('--model <name>', 'of the binding')
    .option('--binding <id>', 'the binding')
    .option('--reason <text>', 'why; shown until it is done');
}

function bindingOf({ backend, model, binding }: BindingOptions): { backend: string; model: string; bindingId: string } {
  if (backend === undefined || model === undefined || binding === undefined)
    throw new UsageError('a binding is named by --backend, --model and --binding together');
  return { backend, model, bindingId: binding };
}

async function told({ output }: Context, subscriber: Subscriber): Promise<void> {
  await output.answer(subscriber, membersOf(subscriber));
  if (subscriber.state === 'waiting' && !output.json)
    output.note('no instance runs it now: what was asked is done when one does');
}

function lagOf({ events, more }: Subscriber['lag']): string {
  return more ? `${events}+` : `${events}`;
}

function membersOf({ lag, parked, lastError, filter, requests, ...subscriber }: Subscriber): Record<string, unknown> {
  const { name, state, stopped, instance, seenAt, position } = subscriber;
  const wanted = Object.entries(filter).map(([member, values]) => `${member}=${values.join(',')}`);
  return {
    subscriber: name,
    state,
    'stopped because': stopped ?? undefined,
    instance,
    'seen at': seenAt,
    filter: wanted.join(' ') || undefined,
    position,
    lag: `${lagOf(lag)} events, ${lag.seconds} seconds`,
    parked: `${parked.events} events of ${parked.bindings} bindings`,
    'oldest parked': parked.oldestAt ?? undefined,
    'last error': lastError === null ? undefined : `${lastError.at} ${lastError.message}`,
    asked: requests.map(({ action, at }) => `${action} (${at})`).join(', ') || undefined,
  };
}

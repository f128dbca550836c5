/** Backends. Their passwords come from a variable or from standard input, never from an argument. */
import type { Command } from 'commander';
import type { Backend, BackendEvent, JsonObject } from '#client';
import { jsonObject, passwordOf, type PasswordOptions } from '../arguments.js';
import { inSession, leaf } from '../leaf.js';
import type { Column } from '../table.js';

const COLUMNS: Column<Backend>[] = [
  ['id', ({ id }) => id],
  ['type', ({ type }) => type],
  ['version', ({ version }) => version],
  ['state', ({ state }) => state],
  ['location', ({ location }) => location],
];

const EVENT_COLUMNS: Column<BackendEvent>[] = [
  ['revision', ({ revision }) => revision],
  ['at', ({ at }) => at],
  ['event', ({ type }) => type],
  ['actor', ({ actor, onBehalfOf }) => (typeof onBehalfOf === 'string' ? `${actor} for ${onBehalfOf}` : actor)],
  ['what', whatChanged],
];

/** What the event changed from what, else the members that it has of its own; and why. */
function whatChanged({ data, changed, reason }: BackendEvent): string {
  const members = typeof data === 'object' && data !== null ? Object.entries(data) : [];
  const changes =
    changed === undefined
      ? members.map(([name, value]) => `${name}=${shown(value)}`)
      : Object.entries(changed).map(([name, { from, to }]) => `${name}: ${shown(from)} → ${shown(to)}`);
  return [...changes, ...(typeof reason === 'string' ? [`(${reason})`] : [])].join(' ');
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** With a backend, as with its type and its models, a ledger begins. */
const BEGINS = { begins: true };

interface ChangeOptions extends PasswordOptions {
  name?: string;
  location?: string;
  version?: string;
  username?: string;
  settings?: JsonObject;
}

interface AddOptions extends ChangeOptions {
  type: string;
  location: string;
}

interface ReasonOption {
  reason?: string;
}

export function addBackendCommands(program: Command): void {
  const backends = program.command('backends').description('the external systems').enablePositionalOptions();
  addReads(backends);
  addWrites(backends);
  addStates(backends);
}

function addReads(backends: Command): void {
  leaf(backends, 'list', 'list the backends').action(
    inSession(async ({ client, output }) => {
      await output.rows(await client.backends.list(), COLUMNS);
    }),
  );
  leaf(backends, 'show <backend>', 'show a backend').action(
    inSession(async ({ client, output }, [id = '']) => {
      const backend = await client.backends.get(id);
      await output.answer(backend, membersOf(backend));
    }),
  );
  leaf(backends, 'credentials <backend>', 'its username, password and secret settings; that they were read is recorded').action(
    inSession(async ({ client, output }, [id = '']) => {
      const { username, password, secrets } = await client.backends.credentials(id);
      await output.answer({ username, password, secrets }, { username, password, ...secrets });
    }),
  );
  leaf(backends, 'history <backend>', 'who changed what of it').action(
    inSession(async ({ client, output }, [id = '']) => {
      await output.rows(client.backends.history(id), EVENT_COLUMNS);
    }),
  );
}

function addWrites(backends: Command): void {
  withSettings(leaf(backends, 'add <backend>', 'register a backend'))
    .requiredOption('--type <type>', 'its type')
    .requiredOption('--location <url>', 'where it is')
    .action(
      inSession<AddOptions>(async ({ client, output }, [id = ''], options) => {
        const backend = await client.backends.register({
          id,
          type: options.type,
          location: options.location,
          ...(await changeOf(options)),
        });
        await output.answer(backend, membersOf(backend));
      }, BEGINS),
    );
  withSettings(leaf(backends, 'change <backend>', 'change a backend'))
    .option('--location <url>', 'where it is')
    .action(
      inSession<ChangeOptions>(async ({ client, output }, [id = ''], options) => {
        const change = { location: options.location, ...(await changeOf(options)) };
        const backend = await client.backends.change(id, change);
        await output.answer(backend, membersOf(backend));
      }),
    );
}

function addStates(backends: Command): void {
  const states = [
    ['pause', 'refuse writes until it is resumed'],
    ['resume', 'take writes again'],
    ['retire', 'end a backend for good; nothing may be bound to it any more'],
  ] as const;
  for (const [verb, description] of states) {
    leaf(backends, `${verb} <backend>`, description)
      .option('--reason <text>', 'recorded in its history')
      .action(
        inSession<ReasonOption>(async ({ client, output }, [id = ''], { reason }) => {
          const backend = await client.backends[verb](id, { reason });
          await output.answer(backend, membersOf(backend));
        }),
      );
  }
}

function withSettings(command: Command): Command {
  return command
    .option('--name <name>', 'what people call it')
    .option('--version <version>', "one of its type's versions")
    .option('--username <name>', 'whom to log in as')
    .option('--password-stdin', 'read the password from standard input')
    .option('--password-env <variable>', 'take the password from this variable')
    .option('--settings <json|@file>', 'settings as the type declares them', jsonObject);
}

async function changeOf(
  options: ChangeOptions,
): Promise<{ name?: string; version?: string; username?: string; password?: string; settings?: JsonObject }> {
  const { name, version, username, settings } = options;
  return { name, version, username, password: await passwordOf(options), settings };
}

function membersOf(backend: Backend): Record<string, unknown> {
  return {
    id: backend.id,
    type: backend.type,
    version: backend.version,
    state: backend.state,
    location: backend.location,
    name: backend.name ?? undefined,
    username: backend.username ?? undefined,
    password: backend.hasPassword ? 'set' : undefined,
    settings: Object.keys(backend.settings ?? {}).length === 0 ? undefined : backend.settings,
  };
}

/** The ledger that a command works on: a server elsewhere, or one of its own in this process on a data folder. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { BindingLedgerClient, type ClientOptions, type RetryOptions } from '#client';
import type { LedgerConfig } from '#runtime';
import { sentenceOf, UsageError } from './exit-codes.js';
import { Output } from './output.js';

const DEFAULT_DATA_FOLDER = './data';
/** What a data folder has that holds a ledger. */
const LEDGER_FILE = 'ledger.sqlite';
const MEMORY = ':memory:';
/** As it stands in messages. */
const URL_FORM = 'http://127.0.0.1:3000';

export interface GlobalOptions {
  url?: string;
  data?: string;
  apiKey?: string;
  onBehalfOf?: string;
  json?: true;
}

export interface Context {
  client: BindingLedgerClient;
  output: Output;
  /** Which ledger this is, for what must not be mixed up: its URL or the path of its folder. */
  where: string;
}

export interface Session extends Context {
  close(): Promise<void>;
}

export type Place = { url: string; folder?: undefined } | { folder: string; url?: undefined };

/** Options come before variables, and a URL before a folder. */
export function placeOf(options: GlobalOptions, environment: Record<string, string | undefined>): Place {
  if (options.url !== undefined && options.data !== undefined) throw new UsageError('either --url or --data');
  if (options.url !== undefined) return { url: options.url };
  if (options.data !== undefined) return { folder: options.data };
  const url = environment['LEDGER_URL'] || undefined;
  return url === undefined ? { folder: environment['LEDGER_DATA'] || DEFAULT_DATA_FOLDER } : { url };
}

/** Options that every command takes; `--data` only before its name where the command has a `--data` of its own. */
export function addGlobalOptions(command: Command, { data = true } = {}): Command {
  command.addOption(new Option('--url <url>', 'server to talk to (or LEDGER_URL)'));
  if (data)
    command.addOption(
      new Option('--data <folder>', 'work on this data folder, without a server (or LEDGER_DATA; default ./data)'),
    );
  command.addOption(new Option('--api-key <key>', 'key of the server (better: LEDGER_API_KEY)'));
  command.addOption(new Option('--on-behalf-of <name>', 'for whom it is done; recorded in the events'));
  return command.addOption(new Option('--json', 'for scripts: JSON on standard output'));
}

/** `begins`: the command may be the first of a new ledger; any other would make an empty one of a slip of the pen, and find nothing. */
export async function openSession(options: GlobalOptions, output: Output, { begins = false } = {}): Promise<Session> {
  const place = placeOf(options, process.env);
  const { onBehalfOf } = options;
  if (place.url === undefined) return openEmbedded(place.folder, onBehalfOf, output, begins);
  assertUrl(place.url, options.url === undefined ? 'LEDGER_URL' : '--url');
  const apiKey = options.apiKey ?? (process.env['LEDGER_API_KEY'] || undefined);
  const client = clientOf({ url: place.url, apiKey, onBehalfOf, retry: retrying(output) });
  return { client, output, where: place.url, close: () => Promise.resolve() };
}

/** Whoever waits sees what for. */
function retrying(output: Output): RetryOptions {
  return {
    onRetry: ({ attempt, delayMs, error }) =>
      output.waiting(`${sentenceOf(error)}; trying again in ${(delayMs / 1_000).toFixed(1)} s (${attempt})`),
  };
}

function clientOf(options: ClientOptions): BindingLedgerClient {
  try {
    return new BindingLedgerClient(options);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

/** Said here, because the client does not know where the text came from. The text itself is not shown: it may hold a password. */
function assertUrl(url: string, source: string): void {
  if (!URL.canParse(url)) throw new UsageError(`${source} is not a URL: it looks like ${URL_FORM}`);
  if (!['http:', 'https:'].includes(new URL(url).protocol))
    throw new UsageError(`${source} begins with neither http:// nor https://: it looks like ${URL_FORM}`);
  const { username, password } = new URL(url);
  if (username !== '' || password !== '')
    throw new UsageError(`${source} has a user or a password in it: leave them out, and give the key by LEDGER_API_KEY`);
}

/** Stores that are elsewhere have one, or will. */
function hasLedger(folder: string, { eventStoreUrl }: LedgerConfig): boolean {
  return eventStoreUrl !== undefined || existsSync(join(folder, LEDGER_FILE));
}

/** @throws {UsageError} where a command works on what there is, and there is nothing. */
export function assertLedger(folder: string, config: LedgerConfig): void {
  if (!hasLedger(folder, config)) throw new UsageError(whatIsMissing(folder));
}

function whatIsMissing(folder: string): string {
  const missing = existsSync(folder) ? `there is no ledger in the folder ${folder}` : `there is no data folder ${folder}`;
  return `${missing} (a new ledger begins with types put, models put or backends add)`;
}

/** The same server as elsewhere, so that there is one way for everything; only this process knows its port. */
async function openEmbedded(folder: string, onBehalfOf: string | undefined, output: Output, begins: boolean): Promise<Session> {
  // Not before it is needed: a command that talks to a server elsewhere starts without it.
  const [{ createLogger, createServer }, { configFromEnvironment }] = await Promise.all([import('#server'), import('#runtime')]);
  const ledger = configFromEnvironment({ ...process.env, LEDGER_DATA: folder });
  if (folder === MEMORY) throw new UsageError(`${MEMORY} is for a server: what a command writes there is gone when it ends`);
  const isNew = !hasLedger(folder, ledger);
  if (isNew && !begins) throw new UsageError(whatIsMissing(folder));
  const server = await createServer({ ledger, logger: createLogger('silent') });
  try {
    const client = clientOf({ url: await server.listen(0, '127.0.0.1'), onBehalfOf, retry: retrying(output) });
    if (isNew) output.note(`a new ledger begins in ${folder}`);
    return { client, output, where: resolve(folder), close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

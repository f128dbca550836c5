/** One command of the program: its options, and the session that it runs in. */
import type { Command } from 'commander';
import { inWordsOf } from './misuse.js';
import { Output } from './output.js';
import { addGlobalOptions, openSession, type Context, type GlobalOptions } from './session.js';

/** Answers the exit code, when it is not 0. */
export type Handler<O> = (context: Context, args: string[], options: O) => Promise<number | void>;

/** A command below `parent`; `ownData`: its `--data` is a binding's data. */
export function leaf(parent: Command, usage: string, description: string, { ownData = false } = {}): Command {
  return addGlobalOptions(parent.command(usage).description(description), { data: !ownData }).configureHelp({
    showGlobalOptions: false,
  });
}

/** The action of a command: opens the ledger, does it, and closes in order, whatever happened. `begins`: there may be none yet. */
export function inSession<O>(
  handler: Handler<O>,
  { ownData = false, begins = false } = {},
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = given.at(-2) as O;
    const args = given.slice(0, -2).filter((argument) => argument !== undefined) as string[];
    const globals = globalsOf(command, ownData);
    const session = await openSession(globals, new Output(globals.json === true), { begins });
    try {
      const code = await handler(session, args, options);
      if (typeof code === 'number') process.exitCode = code;
    } catch (error) {
      throw inWordsOf(command, error);
    } finally {
      await session.close();
    }
  };
}

/** Given before the command's name or after it; the nearest counts. */
export function globalsOf(command: Command, ownData = false): GlobalOptions {
  const { url, data, apiKey, onBehalfOf, json } = command.opts<GlobalOptions>();
  const own: GlobalOptions = { url, data: ownData ? undefined : data, apiKey, onBehalfOf, json };
  const above = command.parent === null ? {} : globalsOf(command.parent);
  // A place that is named here takes the place of one named above, of either kind.
  const place = own.url ?? own.data;
  return {
    url: place === undefined ? above.url : own.url,
    data: place === undefined ? above.data : own.data,
    apiKey: own.apiKey ?? above.apiKey,
    onBehalfOf: own.onBehalfOf ?? above.onBehalfOf,
    json: own.json ?? above.json,
  };
}

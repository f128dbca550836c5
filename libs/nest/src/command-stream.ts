/** Commands by the thousand, in process: the twin of the HTTP client's `commands`. */
import { setImmediate as turn } from 'node:timers/promises';
import type { LocatedResult } from '#ledger';
import type { CommandInput } from './inputs.js';

/** What a command of a stream came to. */
export interface CommandOfStream {
  command: CommandInput;
  result: LocatedResult;
}

/** Each does its commands in turn with those of others: one chunk is written while one is decided, and one waits. */
const CHUNKS_UNDER_WAY = 3;
/** What a writer appends together. */
const CHUNK_COMMANDS = 500;

interface Begun {
  commands: CommandInput[];
  results: Promise<LocatedResult[]>;
}

/** Commands that came; without them the source has ended, or failed. */
interface Arrival {
  commands?: CommandInput[];
  failed?: { error: unknown };
}

export type CommandSource = Iterable<CommandInput> | AsyncIterable<CommandInput>;

/**
 * Does commands in their order, and answers each. Besides what is under way one chunk may have been read. When the source fails, or the results are
 * not wanted any more, what was begun is done all the same; what the source fails with is thrown behind the last result.
 */
export async function* streamCommands(
  source: CommandSource,
  execute: (commands: readonly CommandInput[]) => Promise<LocatedResult[]>,
): AsyncGenerator<CommandOfStream, void, undefined> {
  const chunks = chunksOf(source);
  const underWay: Begun[] = [];
  let next: Promise<Arrival> | undefined = arrivalOf(chunks);
  let end: Arrival | undefined;
  try {
    while (end === undefined || underWay.length > 0) {
      const arrival = await firstOf(underWay.length < CHUNKS_UNDER_WAY ? next : undefined, underWay[0]?.results);
      if (arrival === undefined) yield* resultsOf(underWay.shift() as Begun);
      else if (arrival.commands === undefined) [end, next] = [arrival, undefined];
      else {
        underWay.push(begin(arrival.commands, execute));
        next = arrivalOf(chunks);
      }
    }
    if (end.failed !== undefined) throw end.failed.error;
  } finally {
    // A source that is being read ends when it has answered, and nobody needs to wait for that.
    void chunks.return(undefined).catch(() => undefined);
    await Promise.allSettled(underWay.map(({ results }) => results));
  }
}

/** What comes first; nothing when that is the results. */
async function firstOf(next: Promise<Arrival> | undefined, results: Promise<unknown> | undefined): Promise<Arrival | undefined> {
  const nothing = () => undefined;
  return Promise.race([next, results?.then(nothing, nothing)].filter((each) => each !== undefined));
}

async function arrivalOf(chunks: AsyncGenerator<CommandInput[]>): Promise<Arrival> {
  try {
    const { done, value } = await chunks.next();
    return done === true ? {} : { commands: value as CommandInput[] };
  } catch (error) {
    return { failed: { error } };
  }
}

function begin(commands: CommandInput[], execute: (commands: readonly CommandInput[]) => Promise<LocatedResult[]>): Begun {
  const results = execute(commands);
  // It is awaited when those before it are answered; a failure that comes sooner must not look like one that nobody awaits.
  results.catch(() => undefined);
  return { commands, results };
}

async function* resultsOf({ commands, results }: Begun): AsyncGenerator<CommandOfStream, void, undefined> {
  const answers = await results;
  for (const [index, command] of commands.entries()) yield { command, result: answers[index] as LocatedResult };
}

/** What a source says next; `failed` in place of a rejection, which would look like one that nobody awaits. */
interface Item {
  /** Of one element; whatever it is, it is answered. */
  next?: { command: CommandInput };
  failed?: { error: unknown };
}

async function itemOf(items: Iterator<CommandInput> | AsyncIterator<CommandInput>): Promise<Item> {
  try {
    const { done, value } = await items.next();
    return done === true ? {} : { next: { command: value as CommandInput } };
  } catch (error) {
    return { failed: { error } };
  }
}

/** Chunks end where what had come ends: what comes one by one does not wait for others, and nothing gets lost when the source fails. */
async function* chunksOf(source: CommandSource): AsyncGenerator<CommandInput[], void, undefined> {
  const items = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let chunk: CommandInput[] = [];
  let turnEnds: Promise<undefined> | undefined;
  let ended = false;
  try {
    while (!ended) {
      const coming = itemOf(items);
      turnEnds ??= turn(undefined).finally(() => (turnEnds = undefined));
      let item = chunk.length === 0 ? await coming : await Promise.race([coming, turnEnds]);
      if (item === undefined) {
        yield chunk;
        chunk = [];
        item = await coming;
      }
      if (item.next !== undefined) chunk.push(item.next.command);
      else ended = true;
      if (chunk.length === CHUNK_COMMANDS || (ended && chunk.length > 0)) {
        yield chunk;
        chunk = [];
      }
      if (item.failed !== undefined) throw item.failed.error;
    }
  } finally {
    if (!ended) await items.return?.();
  }
}

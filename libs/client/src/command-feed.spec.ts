import { expect, test } from 'vitest';
import { bindsOf, endless, standstill } from '../../../test/support/bulk-commands.js';
import { CommandFeed, PIECE_LENGTH } from './command-feed.js';

const OPTIONS = { keyPrefix: undefined, atomic: false };
const decoder = new TextDecoder();

async function pieceOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const reader = body.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return decoder.decode(value);
}

test('commands are read as pieces are taken, one piece ahead and no more', async () => {
  const { source, state } = endless();
  const feed = new CommandFeed(source, OPTIONS);
  const body = feed.body();
  const shortest = '{"op":"bind","recordId":"1","externalId":"x1"}\n'.length;
  for (let taken = 0, pieces = 0; pieces < 3; pieces += 1) {
    const lines = (await pieceOf(body)).split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.length).toBeLessThanOrEqual(Math.ceil(PIECE_LENGTH / shortest));
    taken += lines.length;
    await standstill(() => state.read);
    expect(state.read - taken).toBeLessThanOrEqual(Math.ceil(PIECE_LENGTH / shortest));
  }
  await feed.close();
  expect(state.closed).toBe(true);
});

test('a command that is there goes without waiting for the next', async () => {
  async function* slow(): AsyncGenerator<{ op: 'bind'; recordId: string }> {
    yield { op: 'bind', recordId: '1' };
    await new Promise(() => undefined);
  }
  const feed = new CommandFeed(slow(), OPTIONS);
  expect(await pieceOf(feed.body())).toBe('{"op":"bind","recordId":"1"}\n');
  await feed.close();
});

test('the next body begins with what is unanswered; the one before breaks off and does not look complete', async () => {
  const feed = new CommandFeed(bindsOf(3), OPTIONS);
  const before = feed.body();
  const all = await pieceOf(before);
  expect(all.split('\n')).toHaveLength(4);
  expect(feed.sent).toBe(3);
  expect(feed.answered()?.command.recordId).toBe(1);
  feed.detach();
  await expect(pieceOf(before)).rejects.toThrow('given up');

  const after = feed.body();
  expect(await pieceOf(after)).toBe(all.slice(all.indexOf('\n') + 1));
  expect(await pieceOf(after)).toBe('');
  expect([feed.complete, feed.sent]).toEqual([false, 3]);
  expect([feed.answered()?.command.recordId, feed.answered()?.command.recordId]).toEqual([2, 3]);
  expect([feed.complete, feed.answered()]).toEqual([true, undefined]);
  await feed.close();
});

test('what was not sent on this connection cannot be answered', async () => {
  const feed = new CommandFeed(bindsOf(2), OPTIONS);
  await pieceOf(feed.body());
  feed.body();
  expect(feed.answered()).toBeUndefined();
  await feed.close();
});

/** What tests of streams of commands share: commands, a server that answers them, and ways to wait without a clock. */
import { expect } from 'vitest';
import type { BindCommand, LedgerError } from '../../libs/client/src/index.js';
import { collect } from './collect.js';
import { commands, type ReceivedLine, type Reply } from './fake-ledger-server.js';

export function bindOf(recordId: number): BindCommand {
  return { op: 'bind', recordId, externalId: `x${recordId}` };
}

export function* bindsOf(count: number): Generator<BindCommand> {
  for (let recordId = 1; recordId <= count; recordId += 1) yield bindOf(recordId);
}

/** A source without end that counts what is read of it, and says whether it was closed. */
export function endless(): { source: AsyncGenerator<BindCommand>; state: { read: number; closed: boolean } } {
  const state = { read: 0, closed: false };
  async function* generate(): AsyncGenerator<BindCommand> {
    try {
      for (;;) yield await Promise.resolve(bindOf((state.read += 1)));
    } finally {
      state.closed = true;
    }
  }
  return { source: generate(), state };
}

export function resultOf({ line, command }: ReceivedLine): object {
  return { line, outcome: 'created', binding: { recordId: command['recordId'] }, revision: line };
}

/** Records every line in `received`, and answers it unless `special` has something else for it. */
export function answering(received: ReceivedLine[], special: (line: ReceivedLine) => unknown = () => undefined): Reply {
  return commands(async (line) => {
    received.push(line);
    return (await special(line)) ?? resultOf(line);
  });
}

export async function failureOf(results: AsyncIterable<unknown>): Promise<LedgerError> {
  const failure: unknown = await collect(results).then(
    () => expect.unreachable('the stream did not fail'),
    (error: unknown) => error,
  );
  return failure as LedgerError;
}

/** Until something holds, which another turn of the event loop may bring about. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Until the count stands still over many turns of the event loop. A source that is read without bound never does. */
export async function standstill(count: () => number): Promise<void> {
  for (let before = -1, turns = 0; turns < 50; turns += 1) {
    if (count() !== before) turns = 0;
    before = count();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

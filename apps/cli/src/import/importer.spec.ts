/** An import that is refused for now in its middle: what it does again, and what it must not do any more. */
import { describe, expect, it } from 'vitest';
import type { Binding, Command, CommandResult, Ledger } from '#client';
import { LinesBehind } from './behind.js';
import { Importer } from './importer.js';
import { newProgress, type ImportProgress } from './progress-file.js';
import { Remaining } from './progress-bar.js';
import type { SourceItem } from './rows.js';

type Answer = 'done' | 'refused' | 'for now' | 'cut';

const item = (line: number, command: Partial<Command> | 'broken'): SourceItem => ({
  line,
  end: line * 10,
  parsed:
    command === 'broken' ? { problem: { code: 'MALFORMED', detail: 'no' } } : { command: { op: 'bind', ...command } as Command },
});

/** A ledger that answers each command in turn as it is told to. */
function ledgerWith(answers: Answer[], sent: string[]): Ledger {
  async function* commands(all: AsyncIterable<Command>): AsyncGenerator<CommandResult> {
    // As the real one does, it reads far ahead.
    const window: Command[] = [];
    for await (const command of all) {
      window.push(command);
      sent.push(command.key ?? '');
    }
    for (const [index, command] of window.entries()) {
      const answer = answers[index] ?? 'done';
      if (answer === 'cut') throw new Error('the connection broke');
      const { recordId, externalId } = command as { recordId?: string; externalId?: string };
      const binding = { id: `b-${recordId ?? ''}`, recordId, externalId: externalId ?? null } as Binding;
      if (answer === 'done') yield { line: index + 1, command, outcome: 'created', binding, revision: index } as CommandResult;
      else {
        const error = {
          code: answer === 'for now' ? 'BUSY' : 'EXTERNAL_ID_TAKEN',
          detail: 'no',
          retryable: answer === 'for now',
        };
        yield { line: index + 1, command, error } as CommandResult;
      }
    }
  }
  return { commands } as unknown as Ledger;
}

interface Attempt {
  sent: string[];
  refused: [number, string][];
  stopped: number | undefined;
}

async function attempt(items: SourceItem[], progress: ImportProgress, answers: Answer[]): Promise<Attempt> {
  const [sent, refused]: [string[], [number, string][]] = [[], []];
  const importer = new Importer({
    ledger: ledgerWith(answers, sent),
    items: (async function* () {
      yield* items;
    })(),
    progress,
    stopWhenUnavailable: true,
    refused: (line, { code }) => refused.push([line, code]),
    moved: () => undefined,
    save: () => undefined,
  });
  await importer.run().catch(() => undefined);
  return { sent: sent.map((key) => key.split(':')[1] ?? ''), refused, stopped: importer.unavailable?.line };
}

const begin = () => newProgress({ source: { size: 1, modifiedMs: 0, beginning: '' }, target: 't', options: '{}' });

describe('a line that is refused for now', () => {
  it('is sent another time, but not those behind it that are answered', async () => {
    const items = ['a', 'b', 'c', 'd', 'e'].map((id, index) => item(index + 1, { recordId: id }));
    const progress = begin();
    const first = await attempt(items, progress, ['done', 'for now', 'done', 'refused', 'for now']);
    expect(first).toEqual({ sent: ['1', '2', '3', '4', '5'], refused: [[4, 'EXTERNAL_ID_TAKEN']], stopped: 2 });
    expect(progress).toMatchObject({ lines: 1, outcomes: { created: 2 }, behind: { reached: 5, pending: [2, 5] } });
    const second = await attempt([...items, item(6, { recordId: 'f' })], progress, []);
    expect(second).toEqual({ sent: ['2', '5', '6'], refused: [], stopped: undefined });
    expect(progress).toMatchObject({ lines: 6, outcomes: { created: 5 }, refusals: { EXTERNAL_ID_TAKEN: 1 } });
  });

  it('is never done after a later line of the same binding', async () => {
    const items = [
      item(1, { recordId: 'a', externalId: 'x' }),
      item(2, { recordId: 'b' }),
      item(3, { op: 'sync', externalId: 'x' }),
      item(4, { op: 'unbind', bindingId: 'b-b' }),
      item(5, { recordId: 'c' }),
    ];
    const progress = begin();
    const { refused } = await attempt(items, progress, ['for now', 'for now', 'done', 'for now', 'done']);
    expect(refused).toEqual([[1, 'OVERTAKEN']]);
    expect(progress).toMatchObject({ lines: 1, behind: { reached: 5, pending: [2, 4] } });
    expect((await attempt(items, progress, [])).sent).toEqual(['2', '4']);
  });

  it('is known by what the later line answered, whatever name that used', async () => {
    const items = [item(1, { recordId: 'a' }), item(2, { op: 'sync', externalId: 'y' })];
    const behind = new LinesBehind();
    behind.add(items[0]!, 'undone');
    const binding = { id: 'b', recordId: 'a', externalId: 'y' } as Binding;
    behind.add(items[1]!, 'done', { line: 2, outcome: 'synced', binding, revision: 3, command: { op: 'sync' } } as CommandResult);
    expect(behind.settle()).toEqual({ pending: [], overtaken: [items[0]] });
  });

  it('is taken for overtaken where the connection broke before the later line was answered', async () => {
    const items = [item(1, { recordId: 'a' }), item(2, { recordId: 'b' }), item(3, { recordId: 'a' }), item(4, 'broken')];
    const progress = begin();
    const { refused } = await attempt(items, progress, ['for now', 'for now', 'cut']);
    expect(refused).toEqual([
      [4, 'MALFORMED'],
      [1, 'OVERTAKEN'],
    ]);
    expect(progress).toMatchObject({ lines: 1, behind: { reached: 4, pending: [2, 3] } });
  });

  it('may be refused again and again', async () => {
    const items = Array.from({ length: 6 }, (_, index) => item(index + 1, { recordId: `r${index}` }));
    const progress = begin();
    const all: string[] = [];
    for (const answers of [
      ['for now', 'done', 'for now', 'done', 'for now', 'done'],
      ['for now', 'done', 'for now'],
      ['done', 'for now'],
      ['done'],
    ] satisfies Answer[][]) {
      const { sent } = await attempt(items, progress, answers);
      all.push(sent.join(' '));
    }
    expect(all).toEqual(['1 2 3 4 5 6', '1 3 5', '1 5', '5']);
    expect(progress).toMatchObject({ lines: 5, outcomes: { created: 6 }, refusals: {} });
  });
});

describe('what is left of an import', () => {
  it('is told by the rate of the recent past', () => {
    const remaining = new Remaining(1_000, 0);
    expect(remaining.text(0, 0)).toBe('how long is not known yet');
    expect(remaining.text(100, 1_000)).toBe('9 s left');
    for (let second = 2; second <= 100; second += 1) remaining.text(100, second * 1_000);
    expect(remaining.text(100, 100_000)).toBe('how long is not known yet');
    expect(remaining.text(200, 110_000)).toMatch(/^\d+ min \d+ s left$/);
    expect(remaining.text(1_000, 111_000)).toBe('0 s left');
  });

  it('is not told of a start that was somewhere in the middle', () => {
    const remaining = new Remaining(1_000_000, 900_000);
    remaining.text(900_000, 0);
    expect(remaining.text(900_100, 10_000)).toBe('2 h 46 min left');
  });
});

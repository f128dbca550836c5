import { firstValueFrom, of, Subject, toArray } from 'rxjs';
import { expect, test } from 'vitest';
import { oneAtATime, ReactionTooSlow } from './one-at-a-time.js';

/** Reactions that end when they are told to. */
class Reactions {
  readonly begun: number[] = [];
  private readonly ends: (() => void)[] = [];

  readonly react = (value: number): Promise<void> => {
    this.begun.push(value);
    return new Promise((resolve) => this.ends.push(resolve));
  };

  async end(): Promise<void> {
    this.ends.shift()?.();
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('reacts to one value after the other, and passes each on when its reaction is done', async () => {
  const [values, reactions, done] = [new Subject<number>(), new Reactions(), [] as number[]];
  values.pipe(oneAtATime(reactions.react)).subscribe((value) => done.push(value));
  for (const value of [1, 2, 3]) values.next(value);
  expect(reactions.begun).toEqual([1]);
  await reactions.end();
  expect([reactions.begun, done]).toEqual([[1, 2], [1]]);
  await reactions.end();
  await reactions.end();
  expect([reactions.begun, done]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test('completes when what waited is done, also when nothing came', async () => {
  const seen: number[] = [];
  const react = (value: number) => void seen.push(value);
  expect(await firstValueFrom(of(1, 2, 3).pipe(oneAtATime(react), toArray()))).toEqual([1, 2, 3]);
  expect(await firstValueFrom(of<number>().pipe(oneAtATime(react), toArray()))).toEqual([]);
  expect(seen).toEqual([1, 2, 3]);
});

test('ends with an error when too many wait, and leaves the source', () => {
  const [values, reactions] = [new Subject<number>(), new Reactions()];
  const errors: unknown[] = [];
  values.pipe(oneAtATime(reactions.react, { maxWaiting: 2 })).subscribe({ error: (error: unknown) => errors.push(error) });
  for (const value of [1, 2, 3]) values.next(value);
  expect(errors).toEqual([]);
  values.next(4);
  expect(errors).toEqual([new ReactionTooSlow('more than 2 values wait for a reaction')]);
  expect(values.observed).toBe(false);
});

test('a reaction that fails ends it with its error', async () => {
  const values = new Subject<number>();
  const errors: unknown[] = [];
  const failing = () => Promise.reject(new Error('the shop is closed'));
  values.pipe(oneAtATime(failing)).subscribe({ error: (error: unknown) => errors.push(error) });
  values.next(1);
  await turn();
  expect(errors).toEqual([new Error('the shop is closed')]);
  expect(values.observed).toBe(false);
});

test('an error of the source is passed on', () => {
  const values = new Subject<number>();
  const errors: unknown[] = [];
  values.pipe(oneAtATime(() => undefined)).subscribe({ error: (error: unknown) => errors.push(error) });
  values.error('gone');
  expect(errors).toEqual(['gone']);
});

test('whoever unsubscribes gets no more reactions', async () => {
  const [values, reactions] = [new Subject<number>(), new Reactions()];
  const subscription = values.pipe(oneAtATime(reactions.react)).subscribe();
  values.next(1);
  values.next(2);
  subscription.unsubscribe();
  await reactions.end();
  expect(reactions.begun).toEqual([1]);
  expect(values.observed).toBe(false);
});

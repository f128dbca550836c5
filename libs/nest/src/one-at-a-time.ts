import { Observable, type OperatorFunction } from 'rxjs';

/** At most this many values wait for a reaction, unless it is told otherwise. */
export const MAX_WAITING_VALUES = 1_000;

/** A reaction was too slow for what came: values were lost from here on. */
export class ReactionTooSlow extends Error {
  override readonly name = 'ReactionTooSlow';
}

/**
 * Reacts to one value after the other, and passes each on when its reaction is done; what comes meanwhile waits. When more
 * than `maxWaiting` wait, or a reaction fails, the observable ends with that error: `retry()` behind it subscribes anew.
 */
export function oneAtATime<T>(
  react: (value: T) => Promise<void> | void,
  { maxWaiting = MAX_WAITING_VALUES } = {},
): OperatorFunction<T, T> {
  return (source) =>
    new Observable<T>((subscriber) => {
      const waiting: T[] = [];
      let [reacting, completed] = [false, false];
      const run = async (): Promise<void> => {
        reacting = true;
        while (waiting.length > 0 && !subscriber.closed) {
          const value = waiting.shift() as T;
          await react(value);
          subscriber.next(value);
        }
        reacting = false;
        if (completed) subscriber.complete();
      };
      return source.subscribe({
        next: (value) => {
          if (waiting.length >= maxWaiting)
            return subscriber.error(new ReactionTooSlow(`more than ${maxWaiting} values wait for a reaction`));
          waiting.push(value);
          if (!reacting) run().catch((error: unknown) => subscriber.error(error));
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          completed = true;
          if (!reacting) subscriber.complete();
        },
      });
    });
}

import { randomFillSync } from 'node:crypto';
import { v4, v7 } from 'uuid';

const RANDOM_BYTES = 16;
const POOLED_IDS = 512;

/** Makes UUIDs of version 7 that ascend within the process: neighbours in time are neighbours in an index. */
export function idMaker(clock: () => number = Date.now): () => string {
  const [random, bytes] = [randomness(), new Uint8Array(RANDOM_BYTES)];
  let [msecs, seq] = [0, 0];
  return () => {
    const now = clock();
    if (now > msecs) [msecs, seq] = [now, 0];
    else seq += 1;
    return textOf(v7({ msecs, seq, random: random() }, bytes));
  };
}

/** Makes UUIDs of version 4, for what is never looked up, or kept in order, by its id. */
export function randomIdMaker(): () => string {
  const [random, bytes] = [randomness(), new Uint8Array(RANDOM_BYTES)];
  return () => textOf(v4({ random: random() }, bytes));
}

/** Randomness is drawn for many ids at once, since each draw costs more than an id. What is answered is written over by the next. */
function randomness(): () => Uint8Array {
  const pool = new Uint8Array(RANDOM_BYTES * POOLED_IDS);
  const random = new Uint8Array(RANDOM_BYTES);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    for (let index = 0; index < RANDOM_BYTES; index += 1) random[index] = pool[used + index] as number;
    used += RANDOM_BYTES;
    return random;
  };
}

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const text = Buffer.alloc(36, '-');

/** One flat string: put together from pieces, as the library has it, each id would leave twenty behind for the garbage collector. */
function textOf(bytes: Uint8Array): string {
  for (let index = 0; index < RANDOM_BYTES; index += 1) {
    const [byte, place] = [bytes[index] as number, PLACES[index] as number];
    text[place] = DIGITS[byte >> 4] as number;
    text[place + 1] = DIGITS[byte & 15] as number;
  }
  return text.toString('latin1');
}

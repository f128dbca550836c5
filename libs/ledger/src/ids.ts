import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const RANDOM_BYTES = 16;
const POOLED_IDS = 512;

/** Makes UUIDs of version 7 that ascend within the process; randomness is drawn for many at once, since each draw costs more than an id. */
export function idMaker(clock: () => number = Date.now): () => string {
  const pool = new Uint8Array(RANDOM_BYTES * POOLED_IDS);
  let [used, msecs, seq] = [POOLED_IDS, 0, 0];
  return () => {
    if (used === POOLED_IDS) {
      randomFillSync(pool);
      used = 0;
    }
    const now = clock();
    if (now > msecs) [msecs, seq] = [now, 0];
    else seq += 1;
    const random = pool.subarray(used * RANDOM_BYTES, (used + 1) * RANDOM_BYTES);
    used += 1;
    return v7({ msecs, seq, random });
  };
}

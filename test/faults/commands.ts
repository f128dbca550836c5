/** Random commands on a ledger so small that they meet. The same seed gives the same commands. */
import type { Command } from '#domain';

const RECORDS = 14;
const EXTERNAL_IDS = 12;
const FIRST_DAY = Date.parse('2025-01-01T00:00:00Z');

/** Mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function randomCommand(random: () => number, key: string): Command {
  const below = (limit: number) => Math.floor(random() * limit);
  const recordId = `r${below(RECORDS)}`;
  const externalId = `e${below(EXTERNAL_IDS)}`;
  const target = random() < 0.5 ? { recordId } : { externalId };
  const syncDate = new Date(FIRST_DAY + below(30 * 24) * 3_600_000).toISOString();
  const drawn = random();
  if (drawn < 0.5) {
    const ifTaken = (['refuse', 'return', 'takeOver'] as const)[below(3)];
    const pending = random() < 0.1;
    const ifBound = random() < 0.5 ? 'replace' : 'refuse';
    return { op: 'bind', key, recordId, ifBound, ifTaken, data: { n: below(100) }, ...(pending ? {} : { externalId, syncDate }) };
  }
  if (drawn < 0.65) return { op: 'sync', key, ...target, syncDate, force: random() < 0.5 };
  if (drawn < 0.75) return { op: 'changeData', key, ...target, data: { n: below(100) } };
  if (drawn < 0.93) return { op: 'unbind', key, ...target };
  return { op: 'move', key, fromRecordId: recordId, toRecordId: `r${below(RECORDS)}` };
}

const FIRST_SLOTS = 16;
/** So far from the mean is hardly a table of many. */
const DEVIATIONS = 3;

/** Slots, a power of two, that each of so many tables begins with, for what is expected in all: it need not grow, and move everything, often. */
export function slotsFor(expected: number, tables: number, fullest: number): number {
  const mean = expected / tables;
  const wanted = (mean + DEVIATIONS * Math.sqrt(mean)) / fullest;
  let slots = FIRST_SLOTS;
  while (slots < wanted) slots *= 2;
  return slots;
}

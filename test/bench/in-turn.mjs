/** So many pieces of work may be under way: enough for a writer to be always busy, as a sync job with a bounded number of batches has it. */
const UNDER_WAY = 5;

/** Begins work piece by piece, no more at a time than that, and waits for all of it. */
export async function inTurn(pieces, work) {
  const underWay = new Set();
  for (let piece = 0; piece < pieces; piece += 1) {
    if (underWay.size >= UNDER_WAY) await Promise.race(underWay);
    const done = work(piece).then(() => underWay.delete(done));
    underWay.add(done);
  }
  await Promise.all(underWay);
}

/** So many pieces of work may be under way: one that is being written, one that is being decided, one that waits. */
const UNDER_WAY = 3;

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

/** Records and external ids in the order of a real import: records ascend, external ids do not. */
export const pair = (i) => [`product-${i}`, `sku-${(i * 7_919) % 1_000_003}-${i}`];

/** Lookups of any number of ids, a thousand at a time. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Binding, Ledger } from '#client';
import { EXIT } from '../exit-codes.js';
import type { Output } from '../output.js';
import { READ_OWN_WRITES } from '../read-options.js';
import type { Column } from '../table.js';

export type Side = 'external' | 'record';

/** As many as the API takes in one lookup. */
const MAX_IDS = 1_000;

interface Found {
  id: string;
  bindings: Binding[];
}

/** An answer an id, in the order of the ids; exit code 3 when one of them is not bound. */
export async function lookUpMany(ledger: Ledger, side: Side, ids: Iterable<string> | Readable, output: Output): Promise<number> {
  let missing = 0;
  const answers = async function* (): AsyncGenerator<Found> {
    for await (const some of portions(linesOf(ids))) {
      const request = side === 'external' ? { externalIds: some } : { recordIds: some };
      const { found } = await ledger.lookup(request, READ_OWN_WRITES);
      for (const id of some) {
        const bindings = Object.hasOwn(found, id) ? (found[id] ?? []) : [];
        if (bindings.length === 0) missing += 1;
        yield { id, bindings };
      }
    }
  };
  const other = side === 'external' ? 'recordId' : 'externalId';
  const columns: Column<Found>[] = [
    [side === 'external' ? 'external id' : 'record', ({ id }) => id],
    [
      side === 'external' ? 'record' : 'external id',
      ({ bindings }) => bindings.map((binding) => binding[other] ?? 'pending').join(' '),
    ],
  ];
  await output.rows(answers(), columns);
  return missing === 0 ? EXIT.ok : EXIT.notFound;
}

function linesOf(ids: Iterable<string> | Readable): Iterable<string> | AsyncIterable<string> {
  return 'pipe' in ids ? createInterface({ input: ids, crlfDelay: Infinity }) : ids;
}

async function* portions(ids: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string[]> {
  let portion: string[] = [];
  for await (const id of ids) {
    if (id !== '') portion.push(id);
    if (portion.length < MAX_IDS) continue;
    yield portion;
    portion = [];
  }
  if (portion.length > 0) yield portion;
}

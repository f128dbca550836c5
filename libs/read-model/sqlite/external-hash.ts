import { hashOfKey } from '#domain';
import type { Statements } from './statements.js';

export const KEY_SEED = 'key seed';

/** What an external id is indexed by. Of 47 bits, which SQLite keeps in six bytes. */
export type ExternalHash = (externalId: string) => number;

/** The seed is the database's own, drawn by lot: nobody can make external ids that all have the same place in its index. */
export function externalHash({ fact }: Pick<Statements, 'fact'>): ExternalHash {
  const [text] = fact.get(KEY_SEED) ?? [];
  if (text === undefined) throw new Error('broken invariant: the read model has no seed for its keys');
  const seed = Number(text) | 0;
  return (externalId) => {
    const { first, second } = hashOfKey(seed, externalId);
    return first * 0x8000 + ((second >>> 1) & 0x7fff);
  };
}

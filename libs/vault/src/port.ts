/**
 * The vault as the ledger sees it: small opaque documents that no rebuild brings back. Secrets of backends are kept here,
 * encrypted by whoever puts them, and checkpoints of subscribers. `contract.ts` beside this file is what an adapter passes.
 */

/** At most this many bytes of UTF-8 in the content of a document. */
export const MAX_VAULT_BYTES = 262_144;

/** At most this many keys in one page of a listing. */
export const MAX_LISTED_KEYS = 1_000;

/** Names a document. Kinds do not meet; of one id there may be several versions side by side. */
export interface VaultKey {
  kind: string;
  id: string;
  version: string;
}

export interface VaultDocument {
  content: string;
  /** Another one after every put; never used again, also not after a delete. */
  revision: string;
}

/** `null`: there must be no document yet; a revision: the document must have it; absent: whatever is there. */
export type ExpectedRevision = string | null | undefined;

/** `ok: false`: something else is there than was expected, and nothing was done. `actual` is `null` when nothing is. */
export type PutResult = { ok: true; revision: string } | { ok: false; actual: string | null };

export interface ListOptions {
  /** At most `MAX_LISTED_KEYS`. */
  limit: number;
  after?: Pick<VaultKey, 'id' | 'version'>;
}

export interface Vault {
  get(key: VaultKey): Promise<VaultDocument | undefined>;
  /** Resolves when the document would survive a loss of power. @throws {VaultError} `TOO_LARGE` */
  put(key: VaultKey, content: string, expected?: ExpectedRevision): Promise<PutResult>;
  /** True when it was there. */
  delete(key: VaultKey): Promise<boolean>;
  /** Deletes all versions of an id; answers how many there were. */
  deleteAll(kind: string, id: string): Promise<number>;
  /**
   * Keys of the documents of a kind, by id and version in the order of their UTF-8 bytes, after `after` (exclusive). A page is
   * shorter than `limit` only when there is nothing more. @throws {RangeError} for a limit that no page can have.
   */
  list(kind: string, options: ListOptions): Promise<VaultKey[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type VaultErrorCode = 'UNAVAILABLE' | 'TOO_LARGE' | 'CLOSED';

export class VaultError extends Error {
  override readonly name = 'VaultError';
  constructor(
    readonly code: VaultErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

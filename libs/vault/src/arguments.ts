import { MAX_LISTED_KEYS, MAX_VAULT_BYTES, VaultError } from './port.js';

/** @throws {VaultError} `TOO_LARGE` */
export function requireContent(content: string): void {
  const bytes = Buffer.byteLength(content);
  if (bytes > MAX_VAULT_BYTES)
    throw new VaultError('TOO_LARGE', `A document of the vault has at most ${MAX_VAULT_BYTES} bytes, this one ${bytes}`);
}

/** @throws {RangeError} for a page size that no vault may be asked for. */
export function requireListLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LISTED_KEYS)
    throw new RangeError(`A page of ${limit} keys: from 1 to ${MAX_LISTED_KEYS}`);
}

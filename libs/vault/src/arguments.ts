import { MAX_VAULT_BYTES, VaultError } from './port.js';

/** @throws {VaultError} `TOO_LARGE` */
export function requireContent(content: string): void {
  const bytes = Buffer.byteLength(content);
  if (bytes > MAX_VAULT_BYTES)
    throw new VaultError('TOO_LARGE', `A document of the vault has at most ${MAX_VAULT_BYTES} bytes, this one ${bytes}`);
}

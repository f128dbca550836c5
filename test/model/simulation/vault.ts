import type { PutResult, Vault, VaultDocument, VaultKey } from '#vault';

/** A vault in memory. The model keeps no secrets: backends have none, and retirement forgets none. */
export class SimulatedVault implements Vault {
  get(): Promise<VaultDocument | undefined> {
    return Promise.resolve(undefined);
  }

  put({ kind, id }: VaultKey): Promise<PutResult> {
    return Promise.reject(new Error(`the model test keeps no secrets, and so no ${kind} of ${id}`));
  }

  delete(): Promise<boolean> {
    return Promise.resolve(false);
  }

  deleteAll(): Promise<number> {
    return Promise.resolve(0);
  }

  list(): Promise<VaultKey[]> {
    return Promise.resolve([]);
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

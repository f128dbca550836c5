import { createRequire } from 'node:module';
import type { SqliteDatabase } from './database.js';

interface DatabaseClass {
  new (path: string, options?: { readOnly?: boolean }): SqliteDatabase;
}

let loaded: DatabaseClass | undefined;

/** The class to open databases with: Node's own where it is complete enough, else the package with the same API. */
export function databaseClass(): DatabaseClass {
  loaded ??= usable(loadBuiltin()) ?? usable(loadPackage());
  if (loaded === undefined) throw new Error('Neither node:sqlite nor @photostructure/sqlite can be used here');
  return loaded;
}

/** Node says once that its SQLite is experimental; that is nothing a user of the ledger could act on. */
function loadBuiltin(): object | undefined {
  const emitWarning = Object.getOwnPropertyDescriptor(process, 'emitWarning');
  if (emitWarning === undefined) return process.getBuiltinModule('node:sqlite');
  Object.defineProperty(process, 'emitWarning', { ...emitWarning, value: () => undefined });
  try {
    // Loading is synchronous, so no warning but that of this module is swallowed.
    return process.getBuiltinModule('node:sqlite');
  } finally {
    Object.defineProperty(process, 'emitWarning', emitWarning);
  }
}

function loadPackage(): object {
  return createRequire(import.meta.url)('@photostructure/sqlite') as object;
}

/** Node before 22.16 has a node:sqlite that lacks `setReturnArrays`, `isTransaction` and, older still, iterators. */
function usable(module: object | undefined): DatabaseClass | undefined {
  const candidate = module as { DatabaseSync?: DatabaseClass; StatementSync?: { prototype: object } } | undefined;
  return candidate?.StatementSync !== undefined && 'setReturnArrays' in candidate.StatementSync.prototype
    ? candidate.DatabaseSync
    : undefined;
}

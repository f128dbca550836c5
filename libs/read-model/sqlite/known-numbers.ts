import { ledgerKey, type LedgerName } from '#domain';
import { ReadModelError } from '../src/port.js';
import type { Statements } from './statements.js';

/** How long a connection relies on what it read of a ledger's generation: shorter than the grace time after a rebuild. */
export const GENERATION_KNOWLEDGE_MS = 1_000;
const MAX_KNOWN_LEDGERS = 10_000;
const MAX_LOOKS = 20;

/**
 * The numbers of the generations that answer. They are remembered for a moment, so that a lookup is one statement; whoever used one
 * that was dropped meanwhile looks again.
 */
export class KnownNumbers {
  private readonly known = new Map<string, { number: number; readAt: number }>();

  constructor(
    private readonly statements: Statements,
    readonly clock: () => number = () => performance.now(),
  ) {}

  /** What is found in the generation that answers; `nothing` where the ledger has none. */
  look<T>(ledger: LedgerName, nothing: T, find: (number: number) => T): T {
    for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
      const number = this.of(ledger);
      if (number === undefined) return nothing;
      const found = find(number);
      if (this.isStillThere(ledger, number)) return found;
    }
    throw droppedTooOften(ledger);
  }

  /** As `look`, for what takes longer. `run` is called around what asks the database. */
  async search<T>(
    ledger: LedgerName,
    nothing: T,
    run: <R>(work: () => R) => R,
    find: (number: number) => Promise<T>,
  ): Promise<T> {
    for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
      const number = run(() => this.of(ledger));
      if (number === undefined) return nothing;
      const found = await find(number);
      if (run(() => this.isStillThere(ledger, number))) return found;
    }
    throw droppedTooOften(ledger);
  }

  /** What was read of a generation by itself answers from now on, so that no lookup after it sees an older state. */
  learn(name: string, number: number, readAt: number): void {
    if (this.known.get(name)?.number === number) return;
    if (this.known.size >= MAX_KNOWN_LEDGERS) this.known.clear();
    this.known.set(name, { number, readAt });
  }

  forget(ledger: LedgerName): void {
    this.known.delete(ledgerKey(ledger));
  }

  private of(ledger: LedgerName): number | undefined {
    const name = ledgerKey(ledger);
    const known = this.known.get(name);
    if (known !== undefined && this.isYoung(known.readAt)) return known.number;
    this.known.delete(name);
    const readAt = this.clock();
    const [number] = this.statements.ledgerNumber.get(name) ?? [];
    if (number !== undefined) this.learn(name, number, readAt);
    return number;
  }

  /** A generation is marked as dropped before the first of its rows is deleted, and not before nobody may know it. */
  private isStillThere(ledger: LedgerName, number: number): boolean {
    const name = ledgerKey(ledger);
    const known = this.known.get(name);
    if (known?.number === number && this.isYoung(known.readAt)) return true;
    const [role] = this.statements.roleOfNumber.get(number) ?? [];
    if (role !== undefined && role !== 'dropped') return true;
    this.known.delete(name);
    return false;
  }

  private isYoung(readAt: number): boolean {
    return this.clock() - readAt <= GENERATION_KNOWLEDGE_MS;
  }
}

function droppedTooOften(ledger: LedgerName): ReadModelError {
  return new ReadModelError('UNAVAILABLE', `the generation of ${ledgerKey(ledger)} was not the same for the time of one answer`);
}

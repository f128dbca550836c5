import type { LedgerName } from '#domain';

/** Names of the streams, all behind one configurable prefix. `ledger` is the category, so `$ce-ledger` works. */
export class StreamNames {
  constructor(readonly prefix: string = '') {}

  readonly types = (): string => `${this.prefix}catalog-types`;
  readonly models = (): string => `${this.prefix}catalog-models`;

  /** What the names of all these streams begin with: nothing else in the store concerns a ledger. */
  followed(): string[] {
    return [`${this.prefix}ledger-`, ...this.control()];
  }

  /** What the names of streams of backends and of the catalog begin with. */
  control(): string[] {
    return ['backend-', 'catalog-'].map((category) => `${this.prefix}${category}`);
  }

  backend(id: string): string {
    return `${this.prefix}backend-${id}`;
  }

  ledger({ backend, model }: LedgerName): string {
    return `${this.prefix}ledger-${backend}/${model}`;
  }

  /** The ledger whose stream this is. Backend ids and models have no `/`, so the name says it without doubt. */
  ledgerOf(stream: string): LedgerName | undefined {
    const start = `${this.prefix}ledger-`;
    const slash = stream.indexOf('/', start.length);
    if (!stream.startsWith(start) || slash < 0) return undefined;
    return { backend: stream.slice(start.length, slash), model: stream.slice(slash + 1) };
  }

  backendOf(stream: string): string | undefined {
    const start = `${this.prefix}backend-`;
    return stream.startsWith(start) ? stream.slice(start.length) : undefined;
  }
}

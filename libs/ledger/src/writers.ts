import { ledgerKey, type LedgerName } from '#domain';
import type { StreamNames } from './streams.js';
import { LedgerWriter, type WriterTools } from './writer.js';

interface Kept {
  writer: LedgerWriter;
  usedAt: number;
}

/**
 * The writers of this process, one for each ledger that is written to. What an idle one knows of its ledger, up to the whole tail, is
 * given up after a while: it is read again with the next command. One that refuses to write is kept, so that it does not forget why.
 */
export class Writers {
  private readonly kept = new Map<string, Kept>();
  private releasing: NodeJS.Timeout | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly streams: StreamNames,
    private readonly tools: WriterTools,
  ) {}

  of(ledger: LedgerName): LedgerWriter {
    const key = ledgerKey(ledger);
    const known = this.kept.get(key);
    if (known !== undefined) {
      known.usedAt = this.tools.clock();
      return known.writer;
    }
    if (this.kept.size >= this.tools.limits.idleWriters) this.release(0);
    const name = { backend: ledger.backend, model: ledger.model };
    const writer = new LedgerWriter(name, this.streams.ledger(ledger), this.tools);
    if (this.closing === undefined) this.releaseLater();
    else void writer.close();
    this.kept.set(key, { writer, usedAt: this.tools.clock() });
    return writer;
  }

  all(): LedgerWriter[] {
    return [...this.kept.values()].map(({ writer }) => writer);
  }

  close(): Promise<void> {
    clearInterval(this.releasing);
    this.closing ??= Promise.all(this.all().map((writer) => writer.close())).then(() => undefined);
    return this.closing;
  }

  private releaseLater(): void {
    const { idleWriterMs } = this.tools.limits;
    this.releasing ??= setInterval(() => this.release(idleWriterMs), idleWriterMs / 2).unref();
  }

  private release(idleMs: number): void {
    const now = this.tools.clock();
    for (const [key, { writer, usedAt }] of this.kept)
      if (writer.idle && writer.trouble === undefined && now - usedAt >= idleMs) this.kept.delete(key);
  }
}

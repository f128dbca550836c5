/**
 * History rows in a document store. They are written before the documents of their batch and read after them; only what stands
 * up to the checkpoint that was read first is answered. The queries want these indexes, each behind (backend, model, generation):
 * of bindings (recordId, revision) and (externalId, revision) where the state is unbound, besides those of live lookups; of
 * history (bindingId, revision), (formerRecordId, revision) and (formerExternalId, revision), the last two where the field is there.
 */
import { ledgerKey, type LedgerName } from '#domain';
import type { DocumentStore, StoredDocument, Where } from './document-store.js';
import {
  revisionsOf,
  statesAt,
  type HistoryField,
  type HistoryKey,
  type HistoryPage,
  type HistoryQuestion,
  type HistorySource,
  type KeyOfHolders,
  type KnownBinding,
  type StatesAt,
} from './history.js';
import { ReadModelError } from './port.js';
import { bindingId, BINDINGS, HISTORY, within } from './stepwise-documents.js';
import type { Generations } from './stepwise-generations.js';

const ASCENDING = { by: 'revision' } as const;
const DESCENDING = { by: 'revision', descending: true } as const;
const MAX_LOOKS = 20;

type Question = HistoryQuestion<string>;

export class StepwiseHistory {
  constructor(
    private readonly documents: DocumentStore,
    private readonly generations: Generations,
  ) {}

  async history(ledger: LedgerName, key: HistoryKey, after: number, limit: number): Promise<HistoryPage> {
    const answered = await this.answer(ledger, key, (source, question) => revisionsOf(source, question, after, limit));
    return { revisions: answered?.found ?? [], upTo: answered?.upTo ?? -1 };
  }

  async statesAt(ledger: LedgerName, key: HistoryKey, revision: number): Promise<StatesAt> {
    const answered = await this.answer(ledger, key, async (source, question) =>
      revision > question.checkpoint ? [] : statesAt(source, question, revision),
    );
    return { bindings: answered?.found ?? [], upTo: answered?.upTo ?? -1 };
  }

  /** From one generation, which was not dropped meanwhile; `undefined` for a ledger that nothing was projected of. */
  private async answer<T>(
    ledger: LedgerName,
    key: HistoryKey,
    ask: (source: HistorySource<string>, question: Question) => Promise<T>,
  ): Promise<{ found: T; upTo: number } | undefined> {
    const of = 'bindingId' in key ? { binding: key.bindingId } : key;
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const known = await this.generations.knownCurrent(ledger);
      if (known === undefined) return undefined;
      const document = await this.generations.document(ledger, known.generation);
      if (document === undefined) {
        this.generations.forget(ledger);
        continue;
      }
      const { checkpoint } = document;
      const found = await ask(new StepwiseHistorySource(this.documents, ledger, known.generation), { of, checkpoint });
      if (this.generations.isYoung(known)) return { found, upTo: checkpoint };
    }
    throw new ReadModelError('UNAVAILABLE', `the generation of ${ledgerKey(ledger)} was not the same for the time of one answer`);
  }
}

class StepwiseHistorySource implements HistorySource<string> {
  private readonly scope: Where;

  constructor(
    private readonly documents: DocumentStore,
    private readonly ledger: LedgerName,
    private readonly generation: string,
  ) {
    this.scope = within(ledger, generation);
  }

  async document(id: string): Promise<KnownBinding<string> | undefined> {
    const stored = await this.documents.get(BINDINGS, bindingId(this.ledger, this.generation, id));
    return stored === undefined ? undefined : knownBinding(stored);
  }

  /** Pending ones first: whoever is not met as pending because it was bound meanwhile is met as bound. */
  async live(key: KeyOfHolders): Promise<KnownBinding<string>[]> {
    const pending = await this.documents.find(BINDINGS, { ...this.scope, ...key, state: 'pending' });
    const bound = await this.documents.find(BINDINGS, { ...this.scope, ...key, state: 'bound' });
    return [...pending, ...bound].map(knownBinding);
  }

  async unbound(key: KeyOfHolders, after: number, limit: number): Promise<KnownBinding<string>[]> {
    const where = { ...this.scope, ...key, state: 'unbound', revision: { above: after } };
    return (await this.documents.find(BINDINGS, where, limit, ASCENDING)).map(knownBinding);
  }

  async former(key: KeyOfHolders, after: number, limit: number): Promise<{ binding: string; revision: number }[]> {
    const former: Where = 'recordId' in key ? { formerRecordId: key.recordId } : { formerExternalId: key.externalId };
    const where = { ...this.scope, ...former, revision: { above: after } };
    const rows = await this.documents.find(HISTORY, where, limit, ASCENDING);
    return rows.map((row) => ({ binding: row['bindingId'] as string, revision: revisionOf(row) }));
  }

  async events(id: string, after: number, upTo: number, limit: number): Promise<number[]> {
    const where = { ...this.scope, bindingId: id, revision: { above: after, atMost: upTo } };
    return (await this.documents.find(HISTORY, where, limit, ASCENDING)).map(revisionOf);
  }

  async newest(id: string, upTo: number, field?: HistoryField): Promise<number | undefined> {
    const where = { ...this.scope, bindingId: id, revision: { atMost: upTo }, ...(field === undefined ? {} : { sets: field }) };
    const [row] = await this.documents.find(HISTORY, where, 1, DESCENDING);
    return row === undefined ? undefined : revisionOf(row);
  }
}

function knownBinding(document: StoredDocument): KnownBinding<string> {
  return { binding: document['id'] as string, created: document['createdRevision'] as number, revision: revisionOf(document) };
}

function revisionOf(document: StoredDocument): number {
  return document['revision'] as number;
}

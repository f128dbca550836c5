import { evolveBackend, isBackendEvent, parseName, type BackendEvent, type BackendState } from '#domain';
import { START, type EventStore, type Position, type RecordedEvent } from '#event-store';
import type { CatalogDocument, CatalogKind, ReadModel } from '#read-model';
import type { Catalog } from './catalog.js';
import { ControlStream, unread, type ControlTools, type Folded } from './control-log.js';
import type { StreamNames } from './streams.js';

export type BackendStream = ControlStream<BackendState | undefined, BackendEvent>;

/** A ledger that a backend has registered, and the backend as it was read. */
export interface RegisteredLedger {
  backend: BackendState;
  model: string;
  registration: number;
}

export interface BackendsParts {
  tools: ControlTools;
  streams: StreamNames;
  readModel: ReadModel;
  catalog: Catalog;
}

/** Streams that are kept folded. */
const MAX_KEPT_STREAMS = 1_000;
const PAGE_EVENTS = 1_000;
const PAGE_DOCUMENTS = 500;

/**
 * The backends: one of them from its stream, all of them from the read model, which is brought up to date before. The read
 * model's documents are only where the folding of a stream begins, so an answer is as fresh as the streams are.
 */
export class Backends {
  private readonly kept = new Map<string, BackendStream>();
  private caughtUpTo: Position = START;

  constructor(private readonly parts: BackendsParts) {}

  async stream(id: string): Promise<BackendStream> {
    const known = this.kept.get(id);
    this.kept.delete(id);
    const stream = known ?? (await this.begin(id));
    this.kept.set(id, stream);
    if (this.kept.size > MAX_KEPT_STREAMS) this.kept.delete(this.kept.keys().next().value as string);
    return stream;
  }

  async find(id: string): Promise<BackendState | undefined> {
    if (parseName(id).problem !== undefined) return undefined;
    return (await (await this.stream(id)).current()).state;
  }

  /** By id, after the given one, as of the call. */
  async page(after: string | undefined, limit: number): Promise<BackendState[]> {
    await this.catchUp();
    return this.documents<BackendState>('backend', after, limit);
  }

  /** All of them, as of the call. */
  async *all(): AsyncGenerator<BackendState, void, undefined> {
    await this.catchUp();
    for (let after: string | undefined; ;) {
      const page: BackendState[] = await this.documents<BackendState>('backend', after, PAGE_DOCUMENTS);
      yield* page;
      if (page.length < PAGE_DOCUMENTS) return;
      after = page.at(-1)?.id;
    }
  }

  /** Ledgers that were registered before the call, of backends that are not retired, or of those too. */
  async ledgersOf(isMeant: (model: string) => boolean, { retired = false } = {}): Promise<RegisteredLedger[]> {
    const found: RegisteredLedger[] = [];
    for await (const backend of this.all()) {
      if (backend.retirement === 'retired' && !retired) continue;
      for (const { model, revision } of backend.ledgers)
        if (isMeant(model)) found.push({ backend, model, registration: revision });
    }
    return found;
  }

  /** Applies events of the backends' and the catalog's streams to the read model: the documents are then at least as new as they. */
  readonly project = async (events: readonly Pick<RecordedEvent, 'stream' | 'data'>[]): Promise<void> => {
    const { streams, catalog } = this.parts;
    const ids = new Set(events.map(({ stream }) => streams.backendOf(stream)).filter((id) => id !== undefined));
    for (const id of ids) await this.save('backend', id, await this.find(id));
    const types = namesIn(events, streams.types(), 'type');
    if (types.length > 0) await this.saveAll('type', types, await catalog.types.current());
    const models = namesIn(events, streams.models(), 'model');
    if (models.length > 0) await this.saveAll('model', models, await catalog.models.current());
  };

  /** Applies to the read model what its projector has not applied yet, up to the end of the store as of the call. */
  async catchUp(): Promise<void> {
    const { store } = this.parts.tools;
    const projected = await this.parts.readModel.position();
    const from = projected > this.caughtUpTo ? projected : this.caughtUpTo;
    const end = await this.projectFrom(store, this.parts.streams.control(), from);
    if (end > this.caughtUpTo) this.caughtUpTo = end;
  }

  async documents<T>(kind: CatalogKind, after: string | undefined, limit: number): Promise<T[]> {
    const documents: CatalogDocument[] = await this.parts.readModel.catalogDocuments(kind, after, limit);
    return documents.map(({ document }) => document as unknown as T);
  }

  private async projectFrom(store: EventStore, streamPrefixes: readonly string[], from: Position): Promise<Position> {
    for (let after = from; ;) {
      const page = await store.readAll({ after, streamPrefixes, limit: PAGE_EVENTS });
      await this.project(page.events);
      after = page.position;
      if (page.end) return after;
    }
  }

  private async begin(id: string): Promise<BackendStream> {
    const { streams, tools } = this.parts;
    return new ControlStream<BackendState | undefined, BackendEvent>(streams.backend(id), tools, {
      initial: await this.beginning(id),
      empty: undefined,
      known: isBackendEvent,
      fold: (before, events) =>
        events.reduce<BackendState | undefined>(
          (state, event) => evolveBackend(state, event, { revision: event.revision, at: event.metadata.at }),
          before,
        ),
    });
  }

  /** A document of a read model that is ahead of its store, because the store was restored from a copy, is no beginning. */
  private async beginning(id: string): Promise<Folded<BackendState | undefined>> {
    const document = await this.parts.readModel.catalogDocument('backend', id);
    if (document === undefined) return unread(undefined);
    const { revision } = document;
    const [event] = await this.parts.tools.store.readStream(this.parts.streams.backend(id), { after: revision - 1, limit: 1 });
    const state = document.document as unknown as BackendState;
    return event === undefined ? unread(undefined) : { state, revision, at: state.updatedAt };
  }

  private async saveAll(
    kind: CatalogKind,
    ids: readonly string[],
    { state }: Folded<ReadonlyMap<string, { revision: number }>>,
  ): Promise<void> {
    for (const id of ids) await this.save(kind, id, state.get(id));
  }

  private async save(kind: CatalogKind, id: string, state: { revision: number } | undefined): Promise<void> {
    if (state === undefined) return;
    const document = state as unknown as CatalogDocument['document'];
    await this.parts.readModel.saveCatalog(kind, { id, revision: state.revision, document });
  }
}

function namesIn(events: readonly Pick<RecordedEvent, 'stream' | 'data'>[], stream: string, member: string): string[] {
  const names = events.filter((event) => event.stream === stream).map(({ data }) => data[member]);
  return [...new Set(names)].filter((name) => typeof name === 'string');
}

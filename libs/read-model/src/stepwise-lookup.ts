import {
  evolve,
  isBindingEvent,
  isLive,
  ledgerKey,
  stampOf,
  type Binding,
  type LedgerName,
  type RecordedLedgerEvent,
} from '#domain';
import type { DocumentStore, StoredDocument } from './document-store.js';
import { ReadModelError, type DecisionKeys, type FoundBindings } from './port.js';
import { BINDINGS, queriesOf, toBinding, within, type GenerationDocument } from './stepwise-documents.js';
import type { Generations } from './stepwise-generations.js';
import { isSame, SteadyDocuments } from './stepwise-steady.js';

/** Which bindings are looked for: the live ones of records, or of external ids. */
export type LookupKeys = Pick<DecisionKeys, 'recordIds' | 'externalIds'>;

/**
 * The events of a ledger after a revision up to its stream's end, as its leader has it; `undefined` when there are more than a
 * lookup may read.
 */
export type ReadTail = (ledger: LedgerName, after: number) => Promise<RecordedLedgerEvent[] | undefined>;

const NOTHING: FoundBindings = { bindings: [], revision: -1 };
/** Looks at the documents before the tail is read too: each is needed only when a batch was being applied meanwhile. */
const MAX_LOOKS = 3;
const MAX_SETTLED_LOOKS = 20;

/** Lookups that are never torn: what they answer was true at one revision, though documents are written one by one. */
export class StepwiseLookup {
  private readonly steady: SteadyDocuments;

  constructor(
    private readonly documents: DocumentStore,
    private readonly generations: Generations,
    private readonly readTail: ReadTail,
    clock: () => number,
  ) {
    this.steady = new SteadyDocuments(clock);
  }

  /** One hit is true by itself: the binding held the external id at its own revision, or still does at the checkpoint. */
  async byExternalId(ledger: LedgerName, externalId: string): Promise<Binding | undefined> {
    const known = await this.generations.knownCurrent(ledger);
    if (known === undefined) return undefined;
    const keys = { recordIds: [], externalIds: [externalId] };
    const found = await this.matching(ledger, known.generation, keys, 2);
    if (found.length === 1 && this.generations.isYoung(known)) return found[0];
    return (await this.together(ledger, keys)).bindings[0];
  }

  async byId(ledger: LedgerName, id: string): Promise<Binding | undefined> {
    for (let look = 0; look < MAX_SETTLED_LOOKS; look += 1) {
      const known = await this.generations.knownCurrent(ledger);
      if (known === undefined) return undefined;
      const [found] = await this.documents.find(BINDINGS, { ...within(ledger, known.generation), id }, 1);
      if (this.generations.isYoung(known)) return found === undefined ? undefined : toBinding(found);
    }
    throw tooSlow(ledger);
  }

  /** All that match, as they were together at one revision. */
  async together(ledger: LedgerName, keys: LookupKeys): Promise<FoundBindings> {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const known = await this.generations.knownCurrent(ledger);
      if (known === undefined) return NOTHING;
      const before = this.steady.expected(ledger, known.generation) ?? (await this.look(ledger, known.generation));
      if (before === undefined) this.generations.forget(ledger);
      // Documents run ahead of the checkpoint from the first write of a batch to the move of the checkpoint.
      if (before === undefined || before.applying !== before.checkpoint) continue;
      const bindingsOf = await this.search(ledger, known.generation, keys);
      const [after, bindings] = await Promise.all([this.look(ledger, known.generation), bindingsOf()]);
      if (isSame(before, after) && this.generations.isYoung(known)) return { bindings, revision: before.checkpoint };
    }
    return this.settled(ledger, keys);
  }

  private async look(ledger: LedgerName, generation: string): Promise<GenerationDocument | undefined> {
    const document = await this.generations.document(ledger, generation);
    this.steady.saw(ledger, document);
    return document;
  }

  /** From the documents and the stream's tail after their checkpoint, as a writer does: always possible, but it reads more. */
  private async settled(ledger: LedgerName, keys: LookupKeys): Promise<FoundBindings> {
    for (let look = 0; look < MAX_SETTLED_LOOKS; look += 1) {
      const readAt = this.generations.now();
      const generation = (await this.generations.pointer(ledger))?.current;
      if (generation === undefined) return NOTHING;
      const before = await this.generations.document(ledger, generation);
      const bindings = await this.matching(ledger, generation, keys);
      const after = await this.generations.document(ledger, generation);
      if (before === undefined || after === undefined) continue;
      const read = await this.readTail(ledger, before.checkpoint);
      if (read === undefined) throw new ReadModelError('UNAVAILABLE', `the read model is too far behind ${ledgerKey(ledger)}`);
      // No document was newer than what was being applied after they were read, so the tail has what happened to each since. What
      // follows on that is left out: an answer that has it would be followed by older ones.
      const tail = read.filter(({ revision }) => revision <= after.applying);
      const head = tail.at(-1)?.revision ?? before.checkpoint;
      if (head < after.applying) continue;
      const found = await this.advanced(ledger, generation, bindings, tail, keys);
      if (found === undefined || (await this.generations.pointer(ledger))?.current !== generation) continue;
      this.generations.learn(ledger, { generation, readAt });
      return { bindings: found, revision: head };
    }
    throw tooSlow(ledger);
  }

  /** The bindings at the tail's end. `undefined` when a document that is needed too is newer than that. */
  private async advanced(
    ledger: LedgerName,
    generation: string,
    found: readonly Binding[],
    tail: readonly RecordedLedgerEvent[],
    keys: LookupKeys,
  ): Promise<Binding[] | undefined> {
    const bindings = new Map(found.map((binding) => [binding.id, binding]));
    const missing = missingOf(tail, bindings, keys);
    if (missing.length > 0) {
      const head = tail.at(-1)?.revision ?? -1;
      const more = await this.matching(ledger, generation, { recordIds: [], externalIds: [], bindingIds: missing });
      if (more.length < missing.length || more.some(({ revision }) => revision > head)) return undefined;
      for (const binding of more) bindings.set(binding.id, binding);
    }
    for (const event of tail) {
      if (!isBindingEvent(event)) continue;
      const binding = bindings.get(event.data.bindingId);
      if (binding === undefined ? event.type !== 'BindingCreated' : event.data.version <= binding.version) continue;
      bindings.set(event.data.bindingId, evolve(binding, event, stampOf(event)));
    }
    return [...bindings.values()].filter((binding) => isLive(binding) && isWanted(binding, keys));
  }

  /** What matches, found when this resolves, and made into bindings while the ledger's document is read. */
  private async search(ledger: LedgerName, generation: string, keys: LookupKeys): Promise<() => Promise<Binding[]>> {
    const found: (() => Promise<StoredDocument[]>)[] = [];
    for (const query of queriesOf(within(ledger, generation), { bindingIds: [], ...keys }))
      found.push(await this.documents.search(BINDINGS, query));
    return async () => {
      const documents = (await Promise.all(found.map((read) => read()))).flat();
      return [...new Map(documents.map((document) => [document._id, toBinding(document)])).values()];
    };
  }

  private async matching(
    ledger: LedgerName,
    generation: string,
    keys: LookupKeys & Partial<DecisionKeys>,
    limit?: number,
  ): Promise<Binding[]> {
    const scope = within(ledger, generation);
    const found = new Map<string, Binding>();
    for (const query of queriesOf(scope, { bindingIds: [], ...keys })) {
      for (const document of await this.documents.find(BINDINGS, query, limit)) found.set(document._id, toBinding(document));
    }
    return [...found.values()];
  }
}

/** Bindings that match after their newest event in the tail, whose beginning is neither there nor among the documents. */
function missingOf(tail: readonly RecordedLedgerEvent[], bindings: ReadonlyMap<string, Binding>, keys: LookupKeys): string[] {
  const newest = new Map<string, { wanted: boolean; created: boolean }>();
  for (const event of tail) {
    if (!isBindingEvent(event)) continue;
    const { bindingId, state } = event.data;
    const created = event.type === 'BindingCreated' || newest.get(bindingId)?.created === true;
    newest.set(bindingId, { wanted: state !== 'unbound' && isWanted(event.data, keys), created });
  }
  return [...newest].filter(([id, { wanted, created }]) => wanted && !created && !bindings.has(id)).map(([id]) => id);
}

function isWanted(
  { recordId, externalId }: Pick<Binding, 'recordId' | 'externalId'>,
  { recordIds, externalIds }: LookupKeys,
): boolean {
  return recordIds.includes(recordId) || (externalId !== null && externalIds.includes(externalId));
}

function tooSlow(ledger: LedgerName): ReadModelError {
  return new ReadModelError(
    'UNAVAILABLE',
    `no answer that is true by itself was found of ${ledgerKey(ledger)} in ${MAX_SETTLED_LOOKS} looks`,
  );
}

/** What the model has found in the reading of a ledger's end, each by its shortest history. */
import { describe, expect, it } from 'vitest';
import { LedgerView, type BindingEvent, type LedgerEvent, type RecordedLedgerEvent } from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import { chainEvent, LedgerHead, metadataOf, toNewEvent, UnknownEvent } from '#ledger';
import type { DecisionKeys, DecisionState, ReadModel } from '#read-model';
import { live, Truth } from './truth.js';

const LEDGER = { backend: 'shop', model: 'partner' };
const STREAM = 'ledger-shop/partner';
const OPENED: LedgerEvent = {
  type: 'LedgerOpened',
  data: { rules: { localModel: null, cardinality: 'many', dataSchema: null, indexes: [] } },
};
const LIMITS = { tailEvents: 1_000, tailBytes: 1_000_000 };
const KEYS: DecisionKeys = { recordIds: [], externalIds: ['wanted'], bindingIds: [], scopedKeys: [] };

const created = (bindingId: string, externalId: string): BindingEvent => ({
  type: 'BindingCreated',
  data: { bindingId, version: 1, recordId: bindingId, externalId, state: 'bound', syncDate: null, data: {} },
});
const replaced = (bindingId: string, version: number, previousExternalId: string, externalId: string): BindingEvent => ({
  type: 'ExternalIdReplaced',
  data: { bindingId, version, recordId: bindingId, externalId, state: 'bound', previousExternalId },
});

/** A stream of which so many events are there, and a read model that has applied so many. */
class Stores implements Pick<EventStore, 'readStream'>, Pick<ReadModel, 'readForDecision'> {
  readonly events: RecordedLedgerEvent[] = [];
  head = -1;
  checkpoint = -1;
  beforeDecisions: (() => void)[] = [];
  alter = (event: RecordedEvent): RecordedEvent => event;

  constructor(events: readonly LedgerEvent[]) {
    for (const [revision, event] of events.entries()) {
      const previous = this.events.at(-1)?.metadata.hash ?? '';
      const metadata = metadataOf({ actor: 'test', correlationId: 'test' }, '2026-03-03T09:00:00.000Z');
      this.events.push(chainEvent(previous, revision, `event-${revision}`, event, metadata));
    }
  }

  async readStream(stream: string, { after = -1 }: { after?: number }): Promise<RecordedEvent[]> {
    const page = this.events.slice(after + 1, this.head + 1);
    return page.map((event) =>
      this.alter({ ...toNewEvent(event), stream, revision: event.revision, position: '', storedAt: '' }),
    );
  }

  async readForDecision(_: unknown, keys: DecisionKeys): Promise<DecisionState> {
    this.beforeDecisions.shift()?.();
    const { state, hash, at, ...moment } = new Truth(this.events.slice(0, this.checkpoint + 1)).at(this.checkpoint);
    const document = { ledger: LEDGER, generation: '1', checkpoint: this.checkpoint, applying: this.checkpoint, hash, at, state };
    const holders = live({ ...moment, state, hash, at }).filter(({ externalId }) => keys.externalIds.includes(externalId ?? ''));
    const named = [...moment.bindings.values()].filter(
      ({ id }) => keys.bindingIds.includes(id) && !holders.some((holder) => holder.id === id),
    );
    return { document, bindings: [...holders, ...named], idempotency: [] };
  }
}

describe("a ledger's head", () => {
  it('looks for what the tail holds only since it was read further', async () => {
    const stores = new Stores([
      OPENED,
      created('old', 'first'),
      created('older', 'second'),
      replaced('old', 2, 'first', 'wanted'),
      replaced('old', 3, 'wanted', 'first'),
      replaced('older', 2, 'second', 'wanted'),
    ]);
    [stores.head, stores.checkpoint] = [3, 2];
    // Between the two reads of the read model the rest is written, and its first event applied.
    stores.beforeDecisions = [() => undefined, () => ([stores.head, stores.checkpoint] = [5, 4])];
    const view = await new LedgerHead(LEDGER, STREAM, stores, stores, LIMITS).load(KEYS);
    expect(view).toBeInstanceOf(LedgerView);
    expect((view as LedgerView).liveOfExternalId('wanted')?.id).toBe('older');
  });

  it('stays where it was when it comes upon an event that it does not know', async () => {
    const stores = new Stores([OPENED, created('one', 'wanted'), created('two', 'other')]);
    [stores.head, stores.checkpoint] = [2, 0];
    stores.alter = (event) => (event.revision === 2 ? { ...event, type: 'BindingFrozen' } : event);
    const head = new LedgerHead(LEDGER, STREAM, stores, stores, LIMITS);
    await expect(head.load(KEYS)).rejects.toThrow(UnknownEvent);
    head.forget();
    await expect(head.load(KEYS), 'and says so again').rejects.toThrow(UnknownEvent);
  });
});

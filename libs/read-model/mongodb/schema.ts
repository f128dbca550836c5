import type { MongoSchema } from '#mongodb';

/** The collections of stepwise documents, and those that the adapter has besides. All of them can be made anew from the events. */
export const BINDINGS = 'bindings';
export const LEDGERS = 'ledgers';
export const HISTORY = 'history';
export const KEYS = 'keys';
export const POINTERS = 'generations';
export const CATALOG = { backend: 'backends', type: 'types', model: 'models' } as const;
export const FACTS = 'facts';

/** Fields of live bindings that hold scope and key in one: what is looked up by key has one index that can lead to it, and no other. */
export const LIVE_KEY = { recordId: 'liveRecord', externalId: 'liveExternalId' } as const;

/** Names of the indexes of bindings, by what they lead to. Whoever walks along one says which. */
export const BY = {
  formerRecord: 'former_by_record',
  formerRecordAndId: 'former_by_record_and_id',
  formerExternalId: 'former_by_external_id',
  id: 'by_id',
  syncDate: 'by_sync_date',
  creation: 'by_creation',
  pendingId: 'pending_by_id',
  pendingCreation: 'pending_by_creation',
  indexed: 'by_indexed_data',
} as const;

export const HISTORY_BY = {
  binding: 'by_binding',
  bindingAndField: 'by_binding_and_field',
  formerRecord: 'by_former_record',
  formerExternalId: 'by_former_external_id',
} as const;

const FORMER = { partialFilterExpression: { live: false } };
const PENDING = { partialFilterExpression: { state: 'pending' } };

/**
 * `scope` (ledger and generation) leads every index of bindings, so that one ledger's are never looked through for another's.
 * The indexes of keys hold live bindings alone, and a new version of a binding leaves them as they are; former ones have their
 * own, in the order in which they ended, and those of a record in the order of ids as well, which is that of its pages.
 */
export const READ_MODEL_SCHEMA: MongoSchema = {
  name: 'the read model',
  steps: [
    {
      indexes: {
        [BINDINGS]: [
          { name: 'live_by_record', key: { [LIVE_KEY.recordId]: 1 }, sparse: true },
          { name: 'live_by_external_id', key: { [LIVE_KEY.externalId]: 1 }, sparse: true },
          { name: BY.formerRecord, key: { scope: 1, recordId: 1, revision: 1 }, ...FORMER },
          { name: BY.formerRecordAndId, key: { scope: 1, recordId: 1, id: 1 }, ...FORMER },
          { name: BY.formerExternalId, key: { scope: 1, externalId: 1, revision: 1 }, ...FORMER },
          { name: BY.id, key: { scope: 1, live: 1, id: 1 } },
          { name: BY.syncDate, key: { scope: 1, live: 1, syncDate: 1, id: 1 } },
          { name: BY.creation, key: { scope: 1, live: 1, createdAt: 1, id: 1 } },
          { name: BY.pendingId, key: { scope: 1, id: 1 }, ...PENDING },
          { name: BY.pendingCreation, key: { scope: 1, createdAt: 1, id: 1 }, ...PENDING },
          {
            name: BY.indexed,
            key: { scope: 1, indexed: 1, id: 1 },
            partialFilterExpression: { indexed: { $exists: true } },
          },
        ],
        [HISTORY]: [
          { name: HISTORY_BY.binding, key: { scope: 1, bindingId: 1, revision: 1 } },
          { name: HISTORY_BY.bindingAndField, key: { scope: 1, bindingId: 1, sets: 1, revision: 1 } },
          {
            name: HISTORY_BY.formerRecord,
            key: { scope: 1, formerRecordId: 1, revision: 1 },
            partialFilterExpression: { formerRecordId: { $exists: true } },
          },
          {
            name: HISTORY_BY.formerExternalId,
            key: { scope: 1, formerExternalId: 1, revision: 1 },
            partialFilterExpression: { formerExternalId: { $exists: true } },
          },
        ],
        [LEDGERS]: [{ name: 'by_local_model', key: { localModel: 1 } }],
        [KEYS]: [{ name: 'by_time', key: { at: 1 } }],
      },
    },
  ],
};

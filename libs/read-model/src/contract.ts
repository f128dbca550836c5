/**
 * What every read model of the ledger answers. Each adapter's spec runs this suite, with equal cases. The store may hold other
 * data: every case uses ledgers and ids of its own.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import type { Stores } from '../../../test/support/read-model/applied-ledger.js';
import { applying, guarding, opening } from '../../../test/support/read-model/applying.js';
import { differing } from '../../../test/support/read-model/differing.js';
import { forgetting } from '../../../test/support/read-model/forgetting.js';
import { generations } from '../../../test/support/read-model/generations.js';
import { remembersHistory } from '../../../test/support/read-model/history.js';
import { indexing } from '../../../test/support/read-model/indexing.js';
import { cursors, filtering, paging } from '../../../test/support/read-model/listing.js';
import { acrossLedgers, deciding, lookingUp } from '../../../test/support/read-model/looking-up.js';
import { cataloguing, closing, positioning, remembering } from '../../../test/support/read-model/remembering.js';

/** Opens an empty read model, for one that applies and one that answers: the same, or two over the same documents. */
export type MakeReadModel = () => Promise<Stores & { close(): Promise<void> }>;

export function readModelContract(name: string, makeReadModel: MakeReadModel): void {
  describe(`read model contract: ${name}`, () => {
    let opened: Awaited<ReturnType<MakeReadModel>>;
    beforeAll(async () => {
      opened = await makeReadModel();
    });
    afterAll(() => opened.close());
    const stores = () => opened;
    describe('open', () => opening(stores));
    describe('apply', () => applying(stores));
    describe('what apply refuses', () => guarding(stores));
    describe('lookups', () => lookingUp(stores));
    describe('reads for a decision', () => deciding(stores));
    describe('records across ledgers', () => acrossLedgers(stores));
    describe('filters', () => filtering(stores));
    describe('pages', () => paging(stores));
    describe('cursors', () => cursors(stores));
    describe('data fields', () => indexing(stores));
    describe('idempotency records', () => remembering(stores));
    describe('the catalog', () => cataloguing(stores));
    describe('the position', () => positioning(stores));
    describe('close', () => closing(makeReadModel));
    describe('random histories', () => differing(stores));
    describe('the past', () => remembersHistory(stores));
    describe('generations', () => generations(stores));
    describe('forgetting', () => forgetting(stores));
  });
}

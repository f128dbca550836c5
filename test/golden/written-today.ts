/** One life of a ledger as today's program writes it: every type of event, and every member that an event may have. */
import {
  LedgerView,
  UNOPENED,
  isRefusal,
  type Command,
  type ControlEvent,
  type LedgerRules,
  type RecordedLedgerEvent,
  type RequestContext,
} from '#domain';
import { BatchDecider } from '../../libs/ledger/src/batch.js';
import { chainEvent, metadataOf } from '../../libs/ledger/src/chain.js';

const RULES: LedgerRules = { localModel: 'res.partner', cardinality: 'one', dataSchema: null, indexes: [] };
const NEW_RULES: LedgerRules = {
  localModel: 'res.partner',
  cardinality: 'many',
  dataSchema: { type: 'object', properties: { website: { type: 'string' }, groups: { type: 'array' } } },
  indexes: ['website'],
};
const OPERATOR: RequestContext = { actor: 'operator', correlationId: 'c-operator' };
const JOB: RequestContext = { actor: 'export job', correlationId: 'c-1' };
const LISTENER: RequestContext = { actor: 'listener', onBehalfOf: 'maria', correlationId: 'c-2', causationId: 'event-7' };

const LIFE: (ControlEvent | { context: RequestContext; command: Command })[] = [
  { type: 'LedgerOpened', data: { rules: RULES, backendRevision: 1, modelRevision: 0 } },
  { context: JOB, command: { op: 'bind', recordId: '136', data: { website: 'fr', groups: [1, 2] }, direction: 'export' } },
  { context: JOB, command: { op: 'bind', recordId: '136', externalId: '879', key: 'k-1', direction: 'export' } },
  {
    context: { ...LISTENER, actor: 'import job' },
    command: {
      op: 'sync',
      externalId: '879',
      syncDate: '2026-03-03T08:00:00.000Z',
      force: true,
      data: { group: 'Großhandel' },
      direction: 'import',
    },
  },
  { context: LISTENER, command: { op: 'changeData', externalId: '879', data: { website: null, vat: { number: 'FR1' } } } },
  {
    context: OPERATOR,
    command: { op: 'bind', recordId: '136', externalId: '100000200-1', ifBound: 'replace', reason: 'renumbered' },
  },
  {
    context: OPERATOR,
    command: { op: 'move', fromRecordId: '136', toRecordId: '92', reason: 'merged in the local system', key: 'k-2' },
  },
  { type: 'LedgerPaused', data: { backendRevision: 4 } },
  { type: 'LedgerResumed', data: { backendRevision: 5 } },
  { type: 'LedgerRulesChanged', data: { rules: NEW_RULES, modelRevision: 3 } },
  {
    context: JOB,
    command: {
      op: 'bind',
      recordId: '7',
      externalId: '100000200-1',
      ifTaken: 'takeOver',
      syncDate: null,
      reason: 'wrong record',
      key: 'k-3',
    },
  },
  { context: JOB, command: { op: 'unbind', externalId: '100000200-1', cause: 'missingInBackend', reason: '404', key: 'k-4' } },
  { type: 'LedgerClosed', data: { backendRevision: 9 } },
];

export async function writtenToday(): Promise<RecordedLedgerEvent[]> {
  const view = new LedgerView(UNOPENED);
  const written: RecordedLedgerEvent[] = [];
  let clockMs = Date.parse('2026-03-03T09:00:00.000Z');
  const newId = numbered();
  for (const entry of LIFE) {
    clockMs += 60_000;
    const head = written.at(-1);
    const point = {
      revision: written.length - 1,
      hash: head?.metadata.hash ?? '',
      at: head?.metadata.at ?? '',
      state: view.state,
    };
    if ('command' in entry) {
      const decider = new BatchDecider(view, point, { clock: () => clockMs, newId, problemsOf: () => [], maxBytes: 900_000 });
      const { events, results } = await decider.decide([{ requests: [entry], atomic: false }]);
      const refused = results.flat().find(isRefusal);
      if (refused !== undefined) throw new Error(`refused: ${refused.detail}`);
      written.push(...events);
    } else {
      const at = new Date(clockMs).toISOString();
      const event = chainEvent(point.hash, written.length, newId(), entry, metadataOf(OPERATOR, at));
      view.apply(entry, { revision: written.length, at });
      written.push(event);
    }
  }
  return written.map(({ id, revision, type, data, metadata }) => ({ id, revision, type, data, metadata }) as RecordedLedgerEvent);
}

function numbered(): () => string {
  let made = 0;
  return () => `00000000-0000-7000-8000-${String((made += 1)).padStart(12, '0')}`;
}

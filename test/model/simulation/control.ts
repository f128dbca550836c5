import { isRefusal, type Command, type LedgerName, type Refusal, type RequestContext } from '#domain';
import { deleteRecord, locateResult, type LocatedResult } from '#ledger';
import type { ControlAction } from '../plan.js';
import { BACKEND, LEDGERS, LOCAL_MODEL, STREAMS, type Instance } from './instance.js';
import { SYSTEM, type World } from './world.js';

/** A change of the backend that was answered as done. */
export interface ControlAttempt {
  action: ControlAction;
  /** The backend's stream when it was asked, and at the event that it came to. */
  calledRevision: number;
  revision: number;
  /** Where each ledger's stream ended when it was answered. */
  heads: number[];
}

/** A deletion of a record that no ledger refused. */
export interface Deletion {
  recordId: string;
  calledRevision: number;
  calledHeads: number[];
  heads: number[];
}

const TEMPORARY: ReadonlySet<string> = new Set(['BUSY', 'STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN']);
const FINAL: ReadonlySet<string> = new Set(['LEDGER_CLOSED', 'BACKEND_IN_USE', 'MODEL_CHANGE_VIOLATED']);

const headsOf = ({ events }: World) => LEDGERS.map((ledger) => events.head(STREAMS.ledger(ledger)));
const backendHead = ({ events }: World) => events.head(STREAMS.backend(BACKEND));

/** Answers nothing when it could not be done for now. */
export async function act(
  world: World,
  instance: Instance,
  ledger: LedgerName,
  action: ControlAction,
): Promise<ControlAttempt | 'refused' | undefined> {
  const calledRevision = backendHead(world);
  const revision = await change(instance, ledger, action);
  if (typeof revision === 'number') return { action, calledRevision, revision, heads: headsOf(world) };
  if (TEMPORARY.has(revision.refused)) return undefined;
  if (FINAL.has(revision.refused)) return 'refused';
  throw new Error(`${action} was refused ${revision.refused}: ${revision.detail}`);
}

/** Answers the revision of the backend that the answer shows. */
async function change({ plane }: Instance, { model }: LedgerName, action: ControlAction): Promise<number | Refusal> {
  if (action === 'retire') {
    const retired = await plane.backends.retire(BACKEND, SYSTEM);
    return isRefusal(retired) ? retired : retired.revision;
  }
  if (action === 'pause' || action === 'resume') {
    const answer = await plane.backends[action](BACKEND, SYSTEM);
    if (isRefusal(answer)) return answer;
    return answer.outcome === 'changed' ? answer.backend.revision : -1;
  }
  const definition = { model, backendType: 'shops', localModel: LOCAL_MODEL, cardinality: action };
  const answer = await plane.catalog.defineModel(definition, SYSTEM);
  return isRefusal(answer) ? answer : -1;
}

export async function deleteEverywhere(world: World, instance: Instance, recordId: string, done: Deletion[]): Promise<void> {
  const [calledRevision, calledHeads] = [backendHead(world), headsOf(world)];
  const execute = async (ledger: LedgerName, command: Command, context: RequestContext): Promise<LocatedResult> => {
    const [result] = await instance.writer(ledger).submit({ requests: [{ command, context }], atomic: false });
    if (result === undefined) throw new Error('a command without a result');
    return locateResult({ ...ledger, localModel: LOCAL_MODEL }, result);
  };
  const tools = {
    // It is asked only for deletions with a key.
    ledger: { execute, executeAtomic: () => Promise.reject(new Error('a deletion without a key looks for none')) },
    ledgersOfLocalModel: (localModel: string) => instance.plane.ledgersOfLocalModel(localModel),
  };
  const { refused } = await deleteRecord(
    tools,
    { localModel: LOCAL_MODEL, recordId },
    { actor: 'system', correlationId: `delete ${recordId}` },
  );
  if (refused.length === 0) done.push({ recordId, calledRevision, calledHeads, heads: headsOf(world) });
}

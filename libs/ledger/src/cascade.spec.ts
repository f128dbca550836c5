import { expect, test } from 'vitest';
import { isRefusal, refuse, type Command, type LedgerName, type RequestContext } from '#domain';
import type { CommandRequest } from './batch.js';
import { deleteRecord, type CascadeTools } from './cascade.js';
import type { LocatedResult } from './located.js';

const RECORD = { localModel: 'product', recordId: '7', reason: 'gone' };
const CONTEXT: RequestContext = { actor: 'ann', correlationId: 'c1' };
const COMMAND = { op: 'unbind', recordId: '7', cause: 'recordDeleted', all: true, reason: 'gone' };

interface Asked {
  ledger: LedgerName;
  command: Command;
  context: RequestContext;
}

function toolsOver(
  backends: string[],
  answer: (ledger: LedgerName) => LocatedResult,
): CascadeTools & { asked: Asked[]; tried: { ledger: LedgerName; requests: CommandRequest[] }[]; most: number } {
  let running = 0;
  const tools = {
    asked: [] as Asked[],
    tried: [] as { ledger: LedgerName; requests: CommandRequest[] }[],
    most: 0,
    ledgersOfLocalModel: async (localModel: string) => backends.map((backend) => ({ backend, model: `of.${localModel}` })),
    ledger: {
      execute: async (ledger: LedgerName, command: Command, context: RequestContext) => {
        tools.asked.push({ ledger, command, context });
        running += 1;
        tools.most = Math.max(tools.most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return answer(ledger);
      },
      executeAtomic: async (ledger: LedgerName, requests: CommandRequest[]) => {
        tools.tried.push({ ledger, requests });
        const answered = answer(ledger);
        const refusals = [answered, NOT_FOUND].flatMap((result, index) =>
          isRefusal(result) ? [{ line: index + 1, code: result.refused, detail: result.detail }] : [],
        );
        return refuse('BATCH_REFUSED', 'none was done', { details: { refusals } });
      },
    },
  };
  return tools;
}

const NOT_FOUND = refuse('BINDING_NOT_FOUND', 'there is no binding ""');

const nothing: LocatedResult = { outcome: 'unchanged', binding: null, bindings: [], revision: 0 };

test('every ledger of the local model is told, in who asked and why', async () => {
  const tools = toolsOver(['a', 'b'], () => nothing);
  expect(await deleteRecord(tools, RECORD, CONTEXT)).toEqual({ unbound: [], refused: [], revisions: [] });
  expect(tools.asked).toEqual(
    ['a', 'b'].map((backend) => ({ ledger: { backend, model: 'of.product' }, command: COMMAND, context: CONTEXT })),
  );
});

test('refusals are named by ledger; a closed ledger holds nothing of the record', async () => {
  const tools = toolsOver(['closed', 'paused'], ({ backend }) => ({
    refused: backend === 'closed' ? 'LEDGER_CLOSED' : 'BACKEND_PAUSED',
    detail: 'no',
  }));
  expect(await deleteRecord(tools, RECORD, CONTEXT)).toEqual({
    unbound: [],
    refused: [{ ledger: 'paused/of.product', code: 'BACKEND_PAUSED', detail: 'no' }],
    revisions: [],
  });
});

test('many ledgers are asked a few at a time', async () => {
  const backends = Array.from({ length: 100 }, (_, index) => `b${index}`);
  const tools = toolsOver(backends, () => nothing);
  await deleteRecord(tools, RECORD, CONTEXT);
  expect(tools.asked.map(({ ledger }) => ledger.backend)).toEqual(backends);
  expect(tools.most).toBe(16);
});

test('without a key nothing is asked before it is done', async () => {
  const tools = toolsOver(['a'], () => nothing);
  await deleteRecord(tools, RECORD, CONTEXT);
  expect(tools.tried).toEqual([]);
});

test('a key that any of the ledgers knows of another request is refused before anything is done', async () => {
  const backends = Array.from({ length: 20 }, (_, index) => `b${index}`);
  const reused: LocatedResult = { refused: 'IDEMPOTENCY_KEY_REUSED', detail: 'used' };
  const tools = toolsOver(backends, ({ backend }) => (backend === 'b19' ? reused : nothing));
  expect(await deleteRecord(tools, { ...RECORD, key: 'k' }, CONTEXT)).toEqual({
    unbound: [],
    refused: [{ ledger: 'b19/of.product', code: 'IDEMPOTENCY_KEY_REUSED', detail: 'used' }],
    revisions: [],
  });
  expect([tools.tried.length, tools.asked]).toEqual([20, []]);
  expect(tools.tried[0]?.requests[0]?.command).toEqual({ ...COMMAND, key: 'k' });
});

test('what else a ledger says when it is asked for the key keeps nothing from being done', async () => {
  const tools = toolsOver(['a', 'paused'], ({ backend }) =>
    backend === 'paused' ? { refused: 'BACKEND_PAUSED', detail: 'no' } : nothing,
  );
  const { refused } = await deleteRecord(tools, { ...RECORD, key: 'k' }, CONTEXT);
  expect(refused).toEqual([{ ledger: 'paused/of.product', code: 'BACKEND_PAUSED', detail: 'no' }]);
  expect(tools.asked).toHaveLength(2);
});

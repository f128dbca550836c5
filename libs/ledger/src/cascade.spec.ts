import { expect, test } from 'vitest';
import type { Command, LedgerName, RequestContext } from '#domain';
import { deleteRecord, type CascadeTools } from './cascade.js';
import type { LocatedResult } from './located.js';

const RECORD = { localModel: 'product', recordId: '7', reason: 'gone' };
const CONTEXT: RequestContext = { actor: 'ann', correlationId: 'c1' };

interface Asked {
  ledger: LedgerName;
  command: Command;
  context: RequestContext;
}

function toolsOver(
  backends: string[],
  answer: (ledger: LedgerName) => LocatedResult,
): CascadeTools & { asked: Asked[]; most: number } {
  let running = 0;
  const tools = {
    asked: [] as Asked[],
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
    },
  };
  return tools;
}

const nothing: LocatedResult = { outcome: 'unchanged', binding: null, bindings: [], revision: 0 };

test('every ledger of the local model is told, in who asked and why', async () => {
  const tools = toolsOver(['a', 'b'], () => nothing);
  expect(await deleteRecord(tools, RECORD, CONTEXT)).toEqual({ unbound: [], refused: [], revisions: [] });
  const command = { op: 'unbind', recordId: '7', cause: 'recordDeleted', all: true, reason: 'gone' };
  expect(tools.asked).toEqual(
    ['a', 'b'].map((backend) => ({ ledger: { backend, model: 'of.product' }, command, context: CONTEXT })),
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

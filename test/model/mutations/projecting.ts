/** How the read model is kept, and asked: section 5 of the design. */
import type { Mutation } from './mutation.js';

const PROJECTOR = 'libs/ledger/src/projector.ts';
const PROJECTION = 'libs/ledger/src/ledger-projection.ts';
const APPLY = 'libs/read-model/src/stepwise-apply.ts';
const LOOKUP = 'libs/read-model/src/stepwise-lookup.ts';
const GENERATIONS = 'libs/read-model/src/stepwise-generations.ts';
const STEPWISE = 'libs/read-model/src/stepwise.ts';
const HISTORY = 'libs/read-model/src/stepwise-history.ts';
const HISTORY_WRITTEN = '  await write(documents, HISTORY, history);\n';
const KEYS_WRITTEN = '  await write(documents, KEYS, keys);\n';

export const PROJECTING: Mutation[] = [
  {
    section: 5,
    rule: 'the saved position never passes what is not applied yet',
    without: 'it is saved before',
    edits: [
      {
        file: PROJECTOR,
        find: '          await this.take(batch.events, batch.length);',
        replace:
          '          await this.tools.readModel.savePosition(batch.position);\n          await this.take(batch.events, batch.length);',
      },
    ],
  },
  {
    section: 5,
    marked: true,
    rule: 'a folded write is done where the version is lower',
    without: 'it is done where the version is the one before',
    edits: [
      {
        file: APPLY,
        find: 'where: { version: { below: binding.update.version } },',
        replace: 'where: { version: binding.update.version - 1 } as never,',
      },
    ],
  },
  {
    section: 5,
    rule: 'a write is guarded by the version',
    without: 'the last one wins',
    edits: [{ file: APPLY, find: 'where: { version: { below: binding.update.version } },', replace: 'where: {},' }],
  },
  {
    section: 5,
    theme: 'bindings',
    rule: 'a duplicate key does not mean done: the write is repeated as an update',
    without: 'it is taken for done',
    edits: [
      {
        file: APPLY,
        find: 'return written + repeated < writes.length;',
        replace: 'return written + Math.max(repeated, duplicates.length) < writes.length;',
      },
      { file: APPLY, find: 'const again = duplicates.map(', replace: 'const again = duplicates.slice(0, 0).map(' },
    ],
  },
  {
    section: 5,
    rule: 'in a generation that was dropped meanwhile the projector just leaves',
    without: 'what is missing there stops the ledger',
    theme: 'lookups',
    edits: [
      { file: APPLY, find: 'if ((await generations.document(ledger, generation)) === undefined) return true;', replace: '' },
    ],
  },
  {
    section: 5,
    rule: 'idempotency keys are written before the checkpoint moves',
    without: 'they are written after it',
    edits: [
      { file: APPLY, find: KEYS_WRITTEN, replace: '' },
      { file: APPLY, find: "? 'applied'", replace: "? (await write(documents, KEYS, keys), 'applied')" },
    ],
  },
  {
    section: 5,
    rule: 'history rows are written before the documents that they complete',
    without: 'they are written after them',
    theme: 'lookups',
    edits: [
      { file: APPLY, find: HISTORY_WRITTEN, replace: '' },
      { file: APPLY, find: KEYS_WRITTEN, replace: KEYS_WRITTEN + HISTORY_WRITTEN },
    ],
  },
  {
    section: 5,
    rule: 'a history is answered up to the checkpoint that was read before everything',
    without: 'it is answered as far as there are rows',
    theme: 'lookups',
    edits: [{ file: HISTORY, find: 'const { checkpoint } = document;', replace: 'const checkpoint = document.applying;' }],
  },
  {
    section: 5,
    rule: "the ledger's document is changed by compare-and-set on its checkpoint",
    without: 'it is overwritten',
    edits: [{ file: APPLY, find: '{ checkpoint: after }, { set })', replace: '{}, { set })' }],
  },
  {
    section: 5,
    rule: 'before the bulk, `applying` is raised',
    without: 'documents run ahead without a sign',
    theme: 'lookups',
    edits: [
      { file: APPLY, find: '{ raise: { applying: to } }', replace: '{}' },
      { file: APPLY, find: 'const set = { checkpoint: to, hash,', replace: 'const set = { checkpoint: to, applying: to, hash,' },
    ],
  },
  {
    section: 5,
    rule: '`applying` is raised, never lowered',
    without: 'it is set, by whoever applies last',
    theme: 'lookups',
    edits: [{ file: APPLY, find: '{ raise: { applying: to } }', replace: '{ set: { applying: to } }' }],
  },
  {
    section: 5,
    rule: 'checkpoint and `applying` must agree before the documents are read',
    without: 'they need not',
    theme: 'lookups',
    edits: [
      { file: LOOKUP, find: 'before === undefined || before.applying !== before.checkpoint', replace: 'before === undefined' },
    ],
  },
  {
    section: 5,
    rule: 'checkpoint and `applying` are read again after the documents',
    without: 'they are read before only',
    theme: 'lookups',
    edits: [
      { file: LOOKUP, find: 'if (isSame(before, after) &&', replace: 'if ((after === undefined || after !== undefined) &&' },
    ],
  },
  {
    section: 5,
    rule: 'at last the answer is from the documents and the tail',
    without: 'it is from the documents',
    theme: 'lookups',
    edits: [
      {
        file: LOOKUP,
        find: 'for (const event of tail) {\n      if (!isBindingEvent(event)) continue;\n      const binding',
        replace: 'for (const event of tail.slice(0, 0)) {\n      if (!isBindingEvent(event)) continue;\n      const binding',
      },
    ],
  },
  {
    section: 5,
    marked: true,
    rule: 'from the catch-up on every batch is applied to the new generation first',
    without: 'it is applied to the current one first',
    theme: 'lookups',
    edits: [
      { file: PROJECTION, find: '[next, current, former]', replace: '[current, next, former]' },
      { file: APPLY, find: 'if (next === undefined || next.checkpoint < to) return false;', replace: '' },
    ],
  },
  {
    section: 5,
    rule: 'a projector that does not know of the new generation is stopped before it writes',
    without: 'it goes on',
    theme: 'lookups',
    edits: [{ file: APPLY, find: '{ checkpoint: after, successor }, { raise', replace: '{ checkpoint: after }, { raise' }],
  },
  {
    section: 5,
    rule: 'a new generation has caught up with what is being applied before it is followed',
    without: 'it is followed as it is',
    theme: 'lookups',
    edits: [
      {
        file: GENERATIONS,
        find: 'const where = { successor: null, applying: { atMost: next.checkpoint } };',
        replace: 'const where = { successor: null };',
      },
    ],
  },
  {
    section: 5,
    rule: 'generation names are never used again',
    without: 'there are two, in turn',
    theme: 'lookups',
    edits: [{ file: GENERATIONS, find: 'building ?? String(last + 1);', replace: 'building ?? String(2 - (last % 2));' }],
  },
  {
    section: 5,
    rule: 'ledger documents are dropped first',
    without: 'they are dropped last',
    theme: 'lookups',
    edits: [
      { file: GENERATIONS, find: '    await this.documents.remove(LEDGERS, scope, 1);\n', replace: '' },
      {
        file: GENERATIONS,
        find: 'for (const collection of [BINDINGS, KEYS, HISTORY]) {',
        replace: 'for (const collection of [BINDINGS, KEYS, HISTORY, LEDGERS]) {',
      },
    ],
  },
  {
    section: 5,
    rule: 'what an instance knows of the switch is younger than the grace time',
    without: 'what it has read once it knows for ever',
    theme: 'lookups',
    edits: [
      {
        file: GENERATIONS,
        find: 'return this.clock() - readAt <= this.knowledgeMs;',
        replace: 'return readAt <= this.clock() + this.knowledgeMs;',
      },
    ],
  },
  {
    section: 5,
    rule: 'a missing ledger document means start over',
    without: 'it means that nothing was projected',
    theme: 'lookups',
    edits: [
      {
        file: STEPWISE,
        find: 'if (document !== undefined && this.generations.isYoung(known)) return withoutSuccessor(document);',
        replace: 'return document;',
      },
      {
        file: LOOKUP,
        find: 'if (before === undefined) this.generations.forget(ledger);',
        replace: 'if (before === undefined) return NOTHING;',
      },
    ],
  },
];

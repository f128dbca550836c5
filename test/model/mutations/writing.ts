/** How a ledger is written to: sections 2, 3 and 4 of the design. */
import type { Mutation } from './mutation.js';

const WRITER = 'libs/ledger/src/writer.ts';
const FLIGHTS = 'libs/ledger/src/flights.ts';
const CLOCK_WATCH = 'libs/ledger/src/clock-watch.ts';
const HEAD = 'libs/ledger/src/ledger-head.ts';
const TAIL = 'libs/ledger/src/tail-segment.ts';
const BATCH = 'libs/ledger/src/batch.ts';
const APPEND = 'libs/ledger/src/append.ts';
const STEPWISE = 'libs/read-model/src/stepwise.ts';
const LAND = 'if (flight !== undefined && !(await this.flights.land(flight, undecided))) return undefined;';

export const WRITING: Mutation[] = [
  {
    section: 3,
    marked: true,
    rule: "every binding event carries the binding's identity after it",
    without: 'the tail knows which keys a binding holds from its creation alone',
    theme: 'bindings',
    edits: [
      {
        file: TAIL,
        find: "if (state === 'unbound' || known) return;",
        replace: "if (state === 'unbound' || event.type !== 'BindingCreated') return;",
      },
    ],
  },
  {
    section: 3,
    rule: 'counts follow from events alone: an event says in which state the binding was',
    without: 'a removal does not say it',
    theme: 'bindings',
    edits: [{ file: 'libs/domain/src/decision.ts', find: '{ previousState: binding.state, cause }', replace: '{ cause }' }],
  },
  {
    section: 4,
    marked: true,
    rule: 'one append per ledger is in flight per process',
    without: 'the next batch is sent before the one that it was decided on has landed',
    theme: 'bindings',
    edits: [
      {
        file: WRITER,
        find: LAND,
        replace: `if (flight !== undefined && prepared !== undefined && prepared !== 'stale') {
          const sent = this.flights.send(prepared);
          return (await this.flights.land(flight)) ? sent : sent;
        }
        ${LAND}`,
      },
    ],
  },
  {
    section: 4,
    rule: "the state to decide from is the read model and the stream's tail after it",
    without: 'bindings that only the tail has are not looked for',
    theme: 'bindings',
    edits: [{ file: HEAD, find: 'for (const id of this.tail.matching(keys)) {', replace: 'for (const id of [] as string[]) {' }],
  },
  {
    section: 4,
    rule: 'the holders of a key are the documents that do not occur in the tail, and the bindings whose last event in it matches',
    without: 'a document that the tail has newer events of is taken as it is',
    theme: 'bindings',
    edits: [{ file: HEAD, find: 'this.tail.advance(document.id, document) ?? document', replace: 'document' }],
  },
  {
    section: 4,
    rule: 'a binding found only in the tail is loaded by id',
    without: 'it is left out',
    theme: 'bindings',
    edits: [
      {
        file: HEAD,
        find: 'if (missing.length > 0) {',
        replace: 'for (const id of missing) documents.delete(id);\n      if (false as boolean) {',
      },
    ],
  },
  {
    section: 4,
    rule: 'a key that no event of the ledger had is not looked for, as long as the head does not move',
    without: 'it is not looked for although others appended meanwhile',
    theme: 'bindings',
    edits: [{ file: HEAD, find: 'if (keys !== wanted && this.hopedPoint.revision !== revision) continue;', replace: '' }],
  },
  {
    section: 4,
    rule: "the ledger's generation is read again after the last read",
    without: 'it is read before only',
    theme: 'lookups',
    edits: [
      {
        file: STEPWISE,
        find: '(await this.generations.pointer(ledger))?.current === generation && document',
        replace: 'document',
      },
    ],
  },
  {
    section: 4,
    rule: 'a document above the last acknowledged revision, while an append is in flight: its outcome is awaited',
    without: 'the batch is decided from it',
    theme: 'bindings',
    edits: [
      {
        file: HEAD,
        find: 'if (newest > this.acknowledgedPoint.revision) {\n      if (this.inFlight)',
        replace: 'if (newest > this.acknowledgedPoint.revision && !this.inFlight) {\n      if (this.inFlight)',
      },
      {
        file: HEAD,
        find: 'if (newestOf(second.bindings) > this.acknowledgedPoint.revision) {',
        replace: 'if (newestOf(second.bindings) > this.acknowledgedPoint.revision && !this.inFlight) {',
      },
    ],
  },
  {
    section: 4,
    rule: 'a document above the head means that the tail is to be read further',
    without: 'the batch is decided from it',
    theme: 'bindings',
    edits: [
      {
        file: HEAD,
        find: 'const newest = Math.max(checkpoint, newestOf(bindings));',
        replace: 'const newest = Math.max(checkpoint, newestOf(bindings.slice(0, 0)));',
      },
      {
        file: HEAD,
        find: 'if (newestOf(second.bindings) > this.acknowledgedPoint.revision) {',
        replace: 'if (false as boolean) {',
      },
    ],
  },
  {
    section: 4,
    rule: 'answers leave only after the append succeeded',
    without: 'they leave when it is sent',
    theme: 'bindings',
    edits: [
      {
        file: FLIGHTS,
        find: '    const sentAt = this.tools.clock();',
        replace:
          '    for (const [index, job] of jobs.entries()) job.settle(prepared.results[index] as CommandResult[]);\n    const sentAt = this.tools.clock();',
      },
    ],
  },
  {
    section: 4,
    marked: true,
    rule: "a batch without events leaves only after a read of the stream's end finds nothing beyond its head",
    without: 'it leaves at once',
    theme: 'bindings',
    edits: [
      {
        file: FLIGHTS,
        find: "(await this.tools.store.headRevision(this.stream)) === expected ? 'landed' : 'conflict'",
        replace: "expected > -2 ? 'landed' : 'conflict'",
      },
    ],
  },
  {
    section: 4,
    rule: 'an empty batch on top of a flight waits for its success',
    without: 'it is answered before',
    theme: 'bindings',
    edits: [
      {
        file: WRITER,
        find: LAND,
        replace: `if (flight !== undefined && typeof prepared === 'object' && prepared.events.length === 0) {
          for (const [index, job] of jobs.entries()) job.settle(prepared.results[index] as never);
          return flight;
        }
        ${LAND}`,
      },
    ],
  },
  {
    section: 4,
    rule: 'an unknown outcome is no failure: the identical batch is sent again',
    without: 'it is answered as not written',
    theme: 'bindings',
    edits: [
      {
        file: APPEND,
        find: 'if (!unknown) return',
        replace:
          "if (unknown) return { outcome: 'failed', refusal: refuse('STORE_UNAVAILABLE', 'the append failed') };\n      if (!unknown) return",
      },
    ],
  },
  {
    section: 4,
    rule: 'own event ids in the tail mean that the append had succeeded',
    without: 'a conflict of the second sending is taken for one of the first',
    theme: 'bindings',
    edits: [
      { file: APPEND, find: 'return unknown && (await standThere(', replace: 'return (false as boolean) && (await standThere(' },
    ],
  },
  {
    section: 4,
    rule: 'idempotency keys belong to the state of a batch: its own',
    without: 'a batch does not remember the keys of its own commands',
    theme: 'bindings',
    edits: [
      { file: BATCH, find: 'this.view.remember(idempotencyRecordOf(event, stamp, context.actor, idempotency));', replace: '' },
    ],
  },
  {
    section: 4,
    rule: 'idempotency keys belong to the state of a batch: those in the tail',
    without: 'keys are known when they are projected',
    theme: 'bindings',
    edits: [{ file: HEAD, find: '[...remembered, ...inTail]', replace: 'remembered' }],
  },
  {
    section: 4,
    rule: 'idempotency keys belong to the state of a batch: those in the read model',
    without: 'keys are known as long as they are in the tail',
    theme: 'bindings',
    edits: [{ file: HEAD, find: '[...remembered, ...inTail]', replace: 'inTail' }],
  },
  {
    section: 4,
    rule: 'recorded time is not before that of the head event',
    without: 'it is the own clock',
    theme: 'bindings',
    edits: [{ file: BATCH, find: 'return clock > this.point.at ? clock : this.point.at;', replace: 'return clock;' }],
  },
  {
    section: 4,
    rule: "the ledger's document carries the time of the head event, since the tail may be empty",
    without: 'the time is known from the tail alone',
    theme: 'bindings',
    edits: [{ file: HEAD, find: '            at: document.at,', replace: "            at: ''," }],
  },
  {
    section: 4,
    rule: 'whose clock is off does not go on writing',
    without: 'it goes on, and keeps the others from writing by events in their future',
    theme: 'bindings',
    edits: [{ file: CLOCK_WATCH, find: 'now + CLOCK_RETRY_FACTOR * offMs : 0', replace: '0 : 0' }],
  },
];

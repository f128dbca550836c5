/** How backends and models reach their ledgers: sections 2 and 6 of the design. */
import type { Mutation } from './mutation.js';

const FOLLOW = 'libs/domain/src/follow.ts';
const RETIREMENT = 'libs/ledger/src/retirement.ts';
const FAN_OUT = 'libs/ledger/src/fan-out.ts';
const DECIDE = 'libs/domain/src/backend-decide.ts';
const SERVICE = 'libs/ledger/src/backend-service.ts';
const PLANE = 'libs/ledger/src/control-plane.ts';

export const BACKENDS: Mutation[] = [
  {
    section: 2,
    marked: true,
    rule: 'rules are checked against the state at which they change',
    without: 'they are checked once, and appended to whatever stands there then',
    theme: 'control',
    edits: [
      {
        file: FAN_OUT,
        find: '      return this.amend(\n        ledger,\n        async (at) => {',
        replace:
          '      let checked: Refusal | [] | undefined | null = null;\n      return this.amend(\n        ledger,\n        async (at) => {',
      },
      {
        file: FAN_OUT,
        find: '((await check(registered, at)) ?? events)',
        replace: '((checked = checked === null ? await check(registered, at) : checked) ?? events)',
      },
    ],
  },
  {
    section: 2,
    marked: true,
    rule: 'a ledger is closed at a revision where no binding is live',
    without: 'it is closed where none was live when it was looked at first',
    theme: 'retirement',
    edits: [
      { file: RETIREMENT, find: '      let count = 0;', replace: '      let count = -1;' },
      {
        file: RETIREMENT,
        find: '          count = liveBindings(state);',
        replace: '          if (count < 0) count = liveBindings(state);',
      },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'a ledger that has seen the same or a newer cause of its backend is left alone',
    without: 'each fan-out changes it',
    theme: 'control',
    edits: [
      { file: FOLLOW, find: 'if (ledger.backendRevision >= cause) return [];\n  const causes', replace: 'const causes' },
      { file: FAN_OUT, find: 'if ((await this.seen(ledger)).backendRevision >= controlRevision) return undefined;', replace: '' },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'a ledger that has seen the same or a newer cause of its model is left alone',
    without: 'each fan-out changes it',
    theme: 'control',
    edits: [
      { file: FOLLOW, find: 'if (ledger.modelRevision >= cause) return [];', replace: '' },
      { file: FAN_OUT, find: 'if ((await this.seen(ledger)).modelRevision >= cause) return undefined;', replace: '' },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'a ledger that is registered but not open yet is opened by the fan-out',
    without: 'it is left to whoever opens it',
    theme: 'opening',
    edits: [
      {
        file: FOLLOW,
        find: '  const causes = { backendRevision: cause };\n',
        replace: '  if (!ledger.opened) return [];\n  const causes = { backendRevision: cause };\n',
      },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'closing opens it too: `LedgerClosed` as the first event',
    without: 'a ledger that is not open is not closed',
    theme: 'retirement',
    edits: [
      {
        file: FOLLOW,
        find: '  const { rules, modelRevision } = opening;\n',
        replace: '  if (!ledger.opened) return [];\n  const { rules, modelRevision } = opening;\n',
      },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'a ledger that an earlier retirement closed is closed again',
    without: 'it is closed already',
    theme: 'retirement',
    edits: [
      {
        file: FOLLOW,
        find: '  const { rules, modelRevision } = opening;\n',
        replace: '  if (ledger.closed) return [];\n  const { rules, modelRevision } = opening;\n',
      },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'each ledger is closed, then the backend is retired',
    without: 'the backend is retired, then its ledgers are closed',
    theme: 'retirement',
    edits: [
      {
        file: RETIREMENT,
        find: '    const live = await this.close(state, context);\n    if (isRefusal(live)) return live;',
        replace: '    const live: LiveCount[] = [];',
      },
      {
        file: RETIREMENT,
        find: '    return isRefusal(concluded) ? concluded : this.settle(',
        replace: '    await this.close(state, context);\n    return isRefusal(concluded) ? concluded : this.settle(',
      },
    ],
  },
  {
    section: 6,
    marked: true,
    rule: 'a live binding cancels the retirement',
    without: 'ledgers are closed as they are',
    theme: 'retirement',
    edits: [{ file: RETIREMENT, find: 'return count === 0 && mayClose(live) ?', replace: 'return mayClose([]) ?' }],
  },
  {
    section: 6,
    marked: true,
    rule: 'the backend is retired if it is still being retired by the same retirement',
    without: 'whoever has found nothing live retires it',
    theme: 'retirement',
    edits: [
      {
        file: DECIDE,
        find: "if (state.retirement !== 'retiring' || state.controlRevision !== revision) return [];",
        replace: "if (state.retirement === 'retired' || revision < 0) return [];",
      },
    ],
  },
  {
    section: 6,
    rule: 'no ledger is registered while its backend is being retired',
    without: 'one may be',
    theme: 'retirement',
    edits: [
      {
        file: DECIDE,
        find: "if (status === 'retiring' || status === 'retired') return retired(state);\n  if (status === 'paused')",
        replace: "if (status === 'retired') return retired(state);\n  if (status === 'paused')",
      },
    ],
  },
  {
    section: 6,
    rule: "a ledger is registered first, then the model's rules are read",
    without: 'they are read before',
    theme: 'opening',
    edits: [
      {
        file: SERVICE,
        find: 'const now = (await this.parts.catalog.model(model)) as BindingModelState;',
        replace: 'const now = known as BindingModelState;',
      },
    ],
  },
  {
    section: 6,
    rule: "the ledgers of a deleted record are taken from the backends' streams",
    without: 'they are taken from the read model',
    theme: 'opening',
    edits: [
      {
        file: PLANE,
        find: '    const ledgers = await this.known.backends.ledgersOf(isMeant, which);',
        replace: `    const projected = await this.readModel.ledgerDocuments();
    if (localModel !== '') return projected.filter(({ state: { rules } }) => rules.localModel === localModel).map(({ ledger }) => ledger);
    const ledgers = await this.known.backends.ledgersOf(isMeant, which);`,
      },
      {
        file: PLANE,
        find: '  private readonly models: ModelChanges;',
        replace: '  private readonly readModel: ReadModel;\n  private readonly models: ModelChanges;',
      },
      {
        file: PLANE,
        find: '    this.known = { catalog, backends };',
        replace: '    this.readModel = readModel;\n    this.known = { catalog, backends };',
      },
    ],
  },
];

/** Carries what a backend or a model says to the ledgers that it concerns, each at its own revision. */
import {
  followBackend,
  followModel,
  isRefusal,
  rulesInForce,
  type BackendState,
  type BindingModelState,
  type ControlEvent,
  type LedgerName,
  type LedgerState,
  type OpeningRules,
  type Refusal,
  type RequestContext,
} from '#domain';
import type { ReadModel } from '#read-model';
import type { Backends, RegisteredLedger } from './backends.js';
import type { Catalog } from './catalog.js';

/** A ledger at its head, with its writer held. */
export interface LedgerPoint {
  state: LedgerState;
  revision: number;
}

/** How a ledger itself is changed: at its head, by compare-and-set, its commands held back meanwhile. `BindingLedger` is one. */
export interface LedgerAmender {
  /** Appends what `amend` makes of the ledger at its head, at that very revision; `amend` is called again when others were ahead. */
  amend(
    ledger: LedgerName,
    amend: (at: LedgerPoint) => Promise<ControlEvent[] | Refusal>,
    context: RequestContext,
  ): Promise<{ revision: number } | Refusal>;
}

export interface FanOutParts {
  amender: LedgerAmender;
  backends: Backends;
  catalog: Catalog;
  readModel: ReadModel;
}

/** Ledgers that are changed at the same time. */
const LEDGERS_AT_ONCE = 4;

export class FanOut {
  constructor(private readonly parts: FanOutParts) {}

  /** Brings the backend's ledgers to its newest pause, resumption or cancelled retirement. */
  async toLedgersOf(backend: BackendState, context: RequestContext): Promise<Refusal | undefined> {
    const { id, controlRevision, paused } = backend;
    // A ledger that was registered later was registered under what holds now.
    const older = backend.ledgers.filter(({ revision }) => revision < controlRevision);
    return eachOf(older, async ({ model, revision }) => {
      const ledger = { backend: id, model };
      if ((await this.seen(ledger)).backendRevision >= controlRevision) return undefined;
      const opening = await this.openingOf(model, revision);
      return this.amend(ledger, async ({ state }) => followBackend(state, controlRevision, paused, opening), context);
    });
  }

  /** Brings the model's ledgers to the rules in force; `check` may refuse them at the revision where they would change. */
  async toLedgersWith(
    model: BindingModelState,
    context: RequestContext,
    check: (ledger: RegisteredLedger, at: LedgerPoint) => Promise<Refusal | [] | undefined> = async () => undefined,
  ): Promise<Refusal | undefined> {
    const { rules, revision: cause } = rulesInForce(model);
    const ledgers = await this.parts.backends.ledgersOf((name) => name === model.definition.model);
    return eachOf(ledgers, async (registered) => {
      const ledger = { backend: registered.backend.id, model: registered.model };
      if ((await this.seen(ledger)).modelRevision >= cause) return undefined;
      return this.amend(
        ledger,
        async (at) => {
          const events = followModel(at.state, cause, rules, registered.registration);
          return events.length === 0 ? events : ((await check(registered, at)) ?? events);
        },
        context,
      );
    });
  }

  /** Changes one ledger; answers why it could not be. */
  async amend(
    ledger: LedgerName,
    amend: (at: LedgerPoint) => Promise<ControlEvent[] | Refusal>,
    context: RequestContext,
  ): Promise<Refusal | undefined> {
    const result = await this.parts.amender.amend(ledger, amend, context);
    return isRefusal(result) ? result : undefined;
  }

  /** What a ledger of the model that was registered at a revision is opened with now. */
  async openingOf(model: string, registration: number): Promise<OpeningRules> {
    const state = await this.parts.catalog.model(model);
    if (state === undefined) throw new Error(`broken invariant: a ledger is registered for model ${model}, which is not defined`);
    const { rules, revision } = rulesInForce(state);
    return { rules, modelRevision: revision, backendRevision: registration };
  }

  /** The causes that a ledger is known to have seen; it may have seen newer ones. */
  private async seen(ledger: LedgerName): Promise<{ backendRevision: number; modelRevision: number }> {
    const document = await this.parts.readModel.ledgerDocument(ledger);
    return document?.state ?? { backendRevision: -1, modelRevision: -1 };
  }
}

/** Does all of the work although some of it is refused or fails; then throws the first failure, or answers the first refusal. */
export async function eachOf<T>(
  items: readonly T[],
  work: (item: T) => Promise<Refusal | undefined>,
): Promise<Refusal | undefined> {
  const refusals: Refusal[] = [];
  const failures: unknown[] = [];
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        const refusal = await work(item);
        if (refusal !== undefined) refusals.push(refusal);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: LEDGERS_AT_ONCE }, worker));
  if (failures.length > 0) throw failures[0];
  return refusals[0];
}

/**
 * Retirement of a backend: announced, so that no ledger is registered any more; each ledger closed where none of its
 * bindings is live; concluded. A live binding cancels it, and the ledgers that were closed are opened again.
 */
import {
  concludeRetirement,
  decideRetirement,
  followRetirement,
  inUse,
  isRefusal,
  ledgerRegistration,
  liveBindings,
  refuse,
  type BackendState,
  type LiveCount,
  type Refusal,
  type RequestContext,
} from '#domain';
import type { Backends } from './backends.js';
import { keyed, type ChangeOptions, type KeyedOptions } from './control-keys.js';
import type { FanOut } from './fan-out.js';
import type { Secrets } from './secrets.js';

export interface RetirementParts {
  backends: Backends;
  fanOut: FanOut;
  secrets: Secrets;
}

export class Retirements {
  constructor(private readonly parts: RetirementParts) {}

  /** Answers the retired backend, also when it was retired already. */
  async retire(id: string, context: RequestContext, options: ChangeOptions = {}): Promise<BackendState | Refusal> {
    const stream = await this.parts.backends.stream(id);
    const { state } = await stream.current();
    if (state === undefined) return refuse('BACKEND_NOT_FOUND', `there is no backend ${JSON.stringify(id)}`);
    // Looked at before it is announced: else a mistake would close the ledgers of a backend in use for a moment.
    const live = state.retirement === 'none' ? await this.count(state, context) : [];
    if (isRefusal(live)) return live;
    if (live.length > 0) return inUse(id, live);
    const announce = (asked: KeyedOptions) =>
      stream.change(async (backend) => decideRetirement(backend as BackendState), context, asked);
    let announced = await announce(keyed(options, 'retire', {}));
    // It was cancelled then: what was refused is decided anew.
    if (!isRefusal(announced) && announced.repeats !== undefined && announced.state?.retirement === 'none')
      announced = await announce(options);
    return isRefusal(announced) ? announced : this.complete(id, context);
  }

  /** Completes the retirement that is under way, if one is. Answers the backend, or why it is not retired. */
  async complete(id: string, context: RequestContext): Promise<BackendState | Refusal> {
    const stream = await this.parts.backends.stream(id);
    const { state } = await stream.current();
    if (state === undefined) throw new Error(`broken invariant: backend ${id} is not there while it is being retired`);
    if (state.retirement !== 'retiring') return this.settle(state, [], context);
    const live = await this.close(state, context);
    if (isRefusal(live)) return live;
    const concluded = await stream.change(
      async (backend) => concludeRetirement(backend as BackendState, state.controlRevision, live),
      context,
    );
    return isRefusal(concluded) ? concluded : this.settle(concluded.state as BackendState, live, context);
  }

  /** Another request may have concluded it: what the backend is by now is what holds. */
  private async settle(backend: BackendState, live: LiveCount[], context: RequestContext): Promise<BackendState | Refusal> {
    switch (backend.retirement) {
      case 'retired':
        await this.parts.secrets.forgetAll(backend.id);
        return backend;
      case 'retiring':
        return refuse('BUSY', 'another request retires the backend at the same time');
      case 'none':
        return (await this.parts.fanOut.toLedgersOf(backend, context)) ?? inUse(backend.id, live);
    }
  }

  /** Closes ledger after ledger; from the first one that has live bindings on it only counts them. */
  private async close(backend: BackendState, context: RequestContext): Promise<LiveCount[] | Refusal> {
    return this.visit(backend, context, (live) => live.length === 0);
  }

  private async count(backend: BackendState, context: RequestContext): Promise<LiveCount[] | Refusal> {
    return this.visit(backend, context, () => false);
  }

  private async visit(
    backend: BackendState,
    context: RequestContext,
    mayClose: (live: LiveCount[]) => boolean,
  ): Promise<LiveCount[] | Refusal> {
    const live: LiveCount[] = [];
    for (const { model } of backend.ledgers) {
      let count = 0;
      const opening = await this.parts.fanOut.openingOf(model, ledgerRegistration(backend, model) ?? -1);
      const refusal = await this.parts.fanOut.amend(
        { backend: backend.id, model },
        async ({ state }) => {
          count = liveBindings(state);
          return count === 0 && mayClose(live) ? followRetirement(state, backend.controlRevision, opening) : [];
        },
        context,
      );
      if (refusal !== undefined) return refusal;
      if (count > 0) live.push({ model, live: count });
    }
    return live;
  }
}

import { ledgerKey } from '#domain';
import type { Delivery } from './delivery.js';
import { NOTHING_PARKED, type SubscriberDocument, type SubscriberRequest } from './document.js';
import type { Lanes } from './lanes.js';
import type { Saved } from './lease.js';
import type { BindingName, Parking } from './parking.js';

export interface RequestTools {
  parking: Parking;
  lanes: Lanes;
  delivery: Delivery;
  ended: AbortSignal;
  /** One more is done, and will be so for good with the next save. */
  served(): void;
  /** The run is to end, and to save this. */
  reset(last: Saved): void;
}

/** Does what operators ask. A crash before the save that says it is done has it done once more, which is harmless. */
export class Requests {
  /** Ids of those that are done, but stand in the document. */
  readonly done = new Set<string>();
  /** Ids of those in the document that this run has begun. */
  readonly begun = new Set<string>();
  private readonly waiting = new Set<(done: boolean) => void>();

  constructor(private readonly tools: RequestTools) {
    // One listener for all: a replay waits for as many bindings as are parked.
    tools.ended.addEventListener('abort', () => {
      for (const resolve of this.waiting) resolve(false);
    });
  }

  take({ requests }: SubscriberDocument): void {
    const asked = new Set(requests.map(({ id }) => id));
    // One that is done and forgotten may be asked again with its key: it is a new one then.
    for (const id of this.begun) if (!asked.has(id)) this.begun.delete(id);
    const fresh = requests.filter(({ id }) => !this.begun.has(id));
    for (const { id } of fresh) this.begun.add(id);
    const last = requests.findLastIndex(({ action }) => action === 'reset');
    const reset = requests[last];
    if (reset?.action === 'reset') {
      // What was asked before it is about what it forgets.
      const done = new Set(requests.slice(0, last + 1).map(({ id }) => id));
      this.tools.reset({ position: reset.to, parked: NOTHING_PARKED, stopped: null, lastError: null, done });
      return;
    }
    for (const request of fresh) void this.serve(request);
  }

  private async serve(request: SubscriberRequest): Promise<void> {
    if (request.action === 'reset') return;
    const bindings = request.binding === undefined ? this.tools.parking.all() : [request.binding];
    const all = await Promise.all(bindings.map((binding) => this.inLane(binding, () => this.replay(binding, request))));
    if (!all.every(Boolean)) return;
    this.done.add(request.id);
    this.tools.served();
  }

  private async replay(binding: BindingName, request: SubscriberRequest): Promise<boolean> {
    const { parking, delivery } = this.tools;
    const parked = parking.get(binding);
    // When another one is first, that one was skipped already; what is first now is tried again all the same.
    if (request.action === 'skip' && parked?.events[0]?.revision === request.revision) parking.shift(parked);
    return delivery.replay(binding);
  }

  /** In the order of the ledger; false when the run ends before. */
  private inLane(binding: BindingName, act: () => Promise<boolean>): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.tools.ended.aborted) return resolve(false);
      this.waiting.add(resolve);
      this.tools.lanes.push(ledgerKey(binding), async () => {
        const done = await act();
        this.waiting.delete(resolve);
        resolve(done);
      });
    });
  }
}

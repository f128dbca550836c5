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
  private readonly begun = new Set<string>();

  constructor(private readonly tools: RequestTools) {}

  take({ requests }: SubscriberDocument): void {
    const last = requests.findLastIndex(({ action }) => action === 'reset');
    const reset = requests[last];
    if (reset?.action === 'reset') {
      // What was asked before it is about what it forgets.
      const done = new Set(requests.slice(0, last + 1).map(({ id }) => id));
      this.tools.reset({ position: reset.to, parked: NOTHING_PARKED, stopped: null, lastError: null, done });
      return;
    }
    for (const request of requests) {
      if (this.begun.has(request.id)) continue;
      this.begun.add(request.id);
      void this.serve(request);
    }
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
      const end = () => resolve(false);
      this.tools.ended.addEventListener('abort', end);
      this.tools.lanes.push(ledgerKey(binding), async () => {
        const done = await act();
        this.tools.ended.removeEventListener('abort', end);
        resolve(done);
      });
    });
  }
}

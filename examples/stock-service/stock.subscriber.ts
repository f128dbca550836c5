import { Injectable } from '@nestjs/common';
import { BindingSubscriber, type BindingEventView, type HandlerContext } from '#nest';
import { Stock } from './stock.js';

export const STOCK_SERVICE = 'stock-service';
const NOTHING = 0;

/** Keeps an allotment open for every country that the shop knows. */
@Injectable()
export class StockSubscriber {
  constructor(private readonly stock: Stock) {}

  @BindingSubscriber({
    name: STOCK_SERVICE,
    from: 'start',
    filter: { backend: 'shop-eu', model: 'shop.country' },
    attempts: 3,
    firstBackoffMs: 20,
  })
  async onCountry(event: BindingEventView, { signal }: HandlerContext): Promise<void> {
    const { bindingId, version, recordId, externalId, state } = event;
    const { version: known } = this.stock.of(bindingId) ?? { version: NOTHING };
    // At least once: after a crash an event may come again. Versions of a binding have no gaps, so this is enough to tell.
    if (version <= known) return;
    signal.throwIfAborted();
    this.stock.put(bindingId, recordId, { countryCode: externalId, open: state === 'bound', version });
  }
}

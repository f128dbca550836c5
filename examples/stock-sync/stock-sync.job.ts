import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Binder, InjectBinder, isRefusal, ListBindingsQuery, SyncCommand, UnbindCommand, type LocatedBinding } from '#nest';
import { LocalProducts } from './local-products.js';
import type { ShopProduct } from './shop-feed.js';

export const SHOP = 'shop-1';
export const PRODUCT_MODEL = 'shop.product';

export interface SyncReport {
  created: number;
  synchronized: number;
  unchanged: number;
  unbound: number;
  /** Of the ledger, after the newest change that the run made; −1 when it made none. */
  revision: number;
}

const DIRECTION = 'import' as const;
/** One lookup may name 1,000 ids. */
const PRODUCTS_AT_ONCE = 1_000;

/**
 * Imports the shop's products: what is known by its SKU is synchronized, what is not gets a local product, and what the
 * shop has no longer is unbound. A run may be repeated, and several may run at once, without making anything twice.
 */
@Injectable()
export class StockSyncJob {
  constructor(
    @InjectBinder(PRODUCT_MODEL, SHOP) private readonly binder: Binder,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly products: LocalProducts,
  ) {}

  async run(feed: readonly ShopProduct[]): Promise<SyncReport> {
    const report: SyncReport = { created: 0, synchronized: 0, unchanged: 0, unbound: 0, revision: -1 };
    for (let start = 0; start < feed.length; start += PRODUCTS_AT_ONCE)
      await this.importSome(feed.slice(start, start + PRODUCTS_AT_ONCE), report);
    await this.unbindMissing(feed, report);
    return report;
  }

  private async importSome(some: readonly ShopProduct[], report: SyncReport): Promise<void> {
    const { found } = await this.binder.lookup({ externalIds: some.map(({ sku }) => sku) }, { atLeast: 'head' });
    const known = new Map(Object.entries(found));
    for (const product of some) {
      const [binding] = known.get(product.sku) ?? [];
      await (binding === undefined ? this.create(product, report) : this.synchronize(binding, product, report));
    }
  }

  private async create(product: ShopProduct, report: SyncReport): Promise<void> {
    const { sku, title, stock, updatedAt } = product;
    const local = this.products.create(title);
    const bound = await this.binder.bind(sku, local.id, {
      syncDate: updatedAt,
      data: { stock },
      direction: DIRECTION,
      ifTaken: 'return',
    });
    if (bound.outcome !== 'taken') {
      report.created += 1;
      report.revision = bound.revision;
    } else {
      // Another run was first: its product is the one, and ours was never seen by anybody.
      this.products.delete(local.id);
      await this.synchronize(bound.binding, product, report);
    }
  }

  /** The ledger leaves a binding alone that is as new as the shop's product, so there is nothing to compare here. */
  private async synchronize(
    { id, backend, model }: LocatedBinding,
    { stock, updatedAt }: ShopProduct,
    report: SyncReport,
  ): Promise<void> {
    const input = { bindingId: id, syncDate: updatedAt, data: { stock }, direction: DIRECTION };
    const synced = await this.commands.execute(new SyncCommand({ backend, model }, input));
    if (isRefusal(synced)) throw new Error(`${synced.refused}: ${synced.detail}`);
    if (synced.outcome === 'unchanged') report.unchanged += 1;
    else {
      report.synchronized += 1;
      report.revision = synced.revision;
    }
  }

  private async unbindMissing(feed: readonly ShopProduct[], report: SyncReport): Promise<void> {
    const offered = new Set(feed.map(({ sku }) => sku));
    for await (const { id, externalId, backend, model } of this.bound()) {
      if (externalId === null || offered.has(externalId)) continue;
      const unbound = await this.commands.execute(
        new UnbindCommand({ backend, model }, { bindingId: id, cause: 'missingInBackend', direction: DIRECTION }),
      );
      if (isRefusal(unbound)) throw new Error(`${unbound.refused}: ${unbound.detail}`);
      if (unbound.outcome === 'unchanged') continue;
      report.unbound += 1;
      report.revision = unbound.revision;
    }
  }

  private async *bound(): AsyncGenerator<LocatedBinding> {
    let cursor: string | undefined;
    do {
      const page = await this.queries.execute(
        new ListBindingsQuery(this.binder.ledger, { state: 'bound' }, { limit: 500, cursor }, { atLeast: 'head' }),
      );
      if (isRefusal(page)) throw new Error(`${page.refused}: ${page.detail}`);
      yield* page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
}

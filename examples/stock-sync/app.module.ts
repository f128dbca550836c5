import { Module, type DynamicModule } from '@nestjs/common';
import { BindingLedgerModule } from '#nest';
import { BindingLog, PRINT, type Print } from './binding-log.js';
import { LocalProducts } from './local-products.js';
import { ShopCatalog } from './shop-catalog.js';
import { PRODUCT_MODEL, SHOP, StockSyncJob } from './stock-sync.job.js';

@Module({})
export class AppModule {
  /** @param data the folder of the embedded ledger, or `:memory:` */
  static with(data: string, print: Print): DynamicModule {
    return {
      module: AppModule,
      imports: [
        BindingLedgerModule.forRoot({ data, actor: 'stock-sync' }),
        BindingLedgerModule.forFeature([{ model: PRODUCT_MODEL, backend: SHOP }]),
      ],
      providers: [{ provide: PRINT, useValue: print }, LocalProducts, ShopCatalog, StockSyncJob, BindingLog],
    };
  }
}

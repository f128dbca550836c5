import { Module, type DynamicModule } from '@nestjs/common';
import { BindingLedgerModule, type BindingLedgerOptions } from '#nest';
import { BindingLog, PRINT, type Print } from './binding-log.js';
import { LocalProducts } from './local-products.js';
import { ShopCatalog } from './shop-catalog.js';
import { PRODUCT_MODEL, SHOP, StockSyncJob } from './stock-sync.job.js';

@Module({})
export class AppModule {
  static with(ledger: BindingLedgerOptions, print: Print): DynamicModule {
    return {
      module: AppModule,
      imports: [
        BindingLedgerModule.forRoot({ actor: 'stock-sync', ...ledger }),
        BindingLedgerModule.forFeature([{ model: PRODUCT_MODEL, backend: SHOP }]),
      ],
      providers: [{ provide: PRINT, useValue: print }, LocalProducts, ShopCatalog, StockSyncJob, BindingLog],
    };
  }
}

import { Module, type DynamicModule } from '@nestjs/common';
import { BindingLedgerModule, type BindingLedgerOptions } from '#nest';
import { Stock } from './stock.js';
import { StockSubscriber } from './stock.subscriber.js';

@Module({})
export class StockServiceModule {
  static with(ledger: BindingLedgerOptions, stock: Stock): DynamicModule {
    return {
      module: StockServiceModule,
      imports: [BindingLedgerModule.forRoot({ actor: 'stock-service', ...ledger })],
      providers: [{ provide: Stock, useValue: stock }, StockSubscriber],
    };
  }
}

/** Two runs of a stock import against the embedded ledger, in one Nest application. */
import 'reflect-metadata';
import type { LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { BindingLedgerOptions } from '#nest';
import { AppModule } from './app.module.js';
import { BindingLog, type Print } from './binding-log.js';
import { MONDAY, TUESDAY } from './shop-feed.js';
import { StockSyncJob } from './stock-sync.job.js';

/** @param ledger such as `{ data: './data' }`, or `{ data: ':memory:' }` */
export async function main(ledger: BindingLedgerOptions, print: Print): Promise<void> {
  const logger: LogLevel[] = ['warn', 'error', 'fatal'];
  const app = await NestFactory.createApplicationContext(AppModule.with(ledger, print), { logger });
  // On SIGINT or SIGTERM, too, the ledger finishes what it accepted.
  app.enableShutdownHooks();
  try {
    const [job, log] = [app.get(StockSyncJob), app.get(BindingLog)];
    for (const [day, feed] of Object.entries({ Monday: MONDAY, Tuesday: TUESDAY })) {
      print(`${day}: ${feed.length} products in the shop`);
      const { created, synchronized, unchanged, unbound, revision } = await job.run(feed);
      await log.printed(revision);
      print(`${day}: ${created} created, ${synchronized} synchronized, ${unchanged} unchanged, ${unbound} unbound`);
    }
  } finally {
    await app.close();
  }
}

/** Two runs of a stock import against the embedded ledger, in one Nest application. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { BindingLog, type Print } from './binding-log.js';
import { MONDAY, TUESDAY } from './shop-feed.js';
import { StockSyncJob } from './stock-sync.job.js';

export async function main(data: string, print: Print): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule.with(data, print), { logger: ['warn', 'error', 'fatal'] });
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

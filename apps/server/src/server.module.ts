import { Module, type DynamicModule } from '@nestjs/common';
import { BindingLedgerModule } from '#nest';
import type { LedgerConfig } from '#runtime';
import { LINES_OPTIONS, type LinesOptions } from './bulk/answer-writer.js';
import { AuditController } from './controllers/audit.controller.js';
import { BackendLookupController } from './controllers/backend-lookup.controller.js';
import { BackendTypesController } from './controllers/backend-types.controller.js';
import { BackendsController } from './controllers/backends.controller.js';
import { BindingsController } from './controllers/bindings.controller.js';
import { CommandAnswers } from './controllers/command-answers.js';
import { CommandsController } from './controllers/commands.controller.js';
import { FeedController } from './controllers/feed.controller.js';
import { EventsController } from './controllers/events.controller.js';
import { HistoryController } from './controllers/history.controller.js';
import { LedgerController } from './controllers/ledger.controller.js';
import { ListingController } from './controllers/listing.controller.js';
import { ModelsController } from './controllers/models.controller.js';
import { OperationsController } from './controllers/operations.controller.js';
import { RebuildController } from './controllers/rebuild.controller.js';
import { RecordsController } from './controllers/records.controller.js';
import { SubscribersController } from './controllers/subscribers.controller.js';
import { TargetsController } from './controllers/targets.controller.js';
import { FeedReaders, type FeedOptions } from './feed/feed-readers.js';
import { ANONYMOUS } from './http/caller.js';
import { Metrics } from './metrics.js';

@Module({})
export class ServerModule {
  static of(ledger: LedgerConfig, metrics: Metrics, lines: LinesOptions, feed: FeedOptions): DynamicModule {
    return {
      module: ServerModule,
      imports: [BindingLedgerModule.forRoot({ ...ledger, observer: metrics.observer, actor: ANONYMOUS })],
      controllers: [
        BackendTypesController,
        ModelsController,
        BackendsController,
        BackendLookupController,
        ListingController,
        BindingsController,
        TargetsController,
        LedgerController,
        EventsController,
        AuditController,
        RebuildController,
        FeedController,
        CommandsController,
        RecordsController,
        HistoryController,
        SubscribersController,
        OperationsController,
      ],
      providers: [
        CommandAnswers,
        { provide: Metrics, useValue: metrics },
        { provide: FeedReaders, useValue: new FeedReaders(feed, metrics.feed) },
        { provide: LINES_OPTIONS, useValue: lines },
      ],
    };
  }
}

import { Module, type DynamicModule } from '@nestjs/common';
import { BindingLedgerModule } from '#nest';
import type { LedgerConfig } from '#runtime';
import { LINES_OPTIONS, type LinesOptions } from './bulk/answer-writer.js';
import { BackendLookupController } from './controllers/backend-lookup.controller.js';
import { BackendTypesController } from './controllers/backend-types.controller.js';
import { BackendsController } from './controllers/backends.controller.js';
import { BindingsController } from './controllers/bindings.controller.js';
import { CommandAnswers } from './controllers/command-answers.js';
import { CommandsController } from './controllers/commands.controller.js';
import { EventsController } from './controllers/events.controller.js';
import { LedgerController } from './controllers/ledger.controller.js';
import { ListingController } from './controllers/listing.controller.js';
import { ModelsController } from './controllers/models.controller.js';
import { OperationsController } from './controllers/operations.controller.js';
import { RecordsController } from './controllers/records.controller.js';
import { TargetsController } from './controllers/targets.controller.js';
import { ANONYMOUS } from './http/caller.js';
import { Metrics } from './metrics.js';

@Module({})
export class ServerModule {
  static of(ledger: LedgerConfig, metrics: Metrics, lines: LinesOptions): DynamicModule {
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
        CommandsController,
        RecordsController,
        OperationsController,
      ],
      providers: [CommandAnswers, { provide: Metrics, useValue: metrics }, { provide: LINES_OPTIONS, useValue: lines }],
    };
  }
}

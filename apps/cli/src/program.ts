/** All commands. */
import { Command } from 'commander';
import { addAuditCommands } from './commands/audit.js';
import { addBackendCommands } from './commands/backends.js';
import { addBindingCommands } from './commands/bindings.js';
import { addEventCommands } from './commands/events.js';
import { addHistoryCommands } from './commands/history.js';
import { addModelCommands } from './commands/models.js';
import { addReadCommands } from './commands/reads.js';
import { addRebuild } from './commands/rebuild.js';
import { addRecordDeletion } from './commands/records.js';
import { addSubscriberCommands } from './commands/subscribers.js';
import { addTransferCommands } from './commands/transfer.js';
import { addGlobalOptions } from './session.js';
// Not by way of '#server', which would load all of it.
import { VERSION } from '../../server/src/version.js';

const AFTER_HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused by the ledger, 5 unavailable: try again,
6 verified, or compared, and not what it was.
`;

export function createProgram(): Command {
  const program = new Command('ledger')
    .description('Which local record is which external id on which backend: a ledger of bindings.')
    .version(VERSION, '--version', 'the version of this program')
    .enablePositionalOptions()
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText('after', AFTER_HELP)
    .exitOverride();
  addGlobalOptions(program);
  addModelCommands(program);
  addBackendCommands(program);
  addBindingCommands(program);
  addReadCommands(program);
  addHistoryCommands(program);
  addRecordDeletion(program);
  addEventCommands(program);
  addSubscriberCommands(program);
  addAuditCommands(program);
  addRebuild(program);
  addTransferCommands(program);
  return program;
}

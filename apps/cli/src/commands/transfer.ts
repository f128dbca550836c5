/** Import and export. */
import { Option, type Command } from 'commander';
import { names } from '../arguments.js';
import { exportBindings, type ExportOptions } from '../export.js';
import { Import, type ImportOptions } from '../import/import.js';
import { inSession, leaf } from '../leaf.js';
import { AS_OF } from '../read-options.js';

export function addTransferCommands(program: Command): void {
  leaf(program, 'import <backend> <model> <file>', 'do the commands of a file, or bind its rows ("-": standard input)')
    .addOption(new Option('--format <format>', 'default: by the name of the file').choices(['ndjson', 'csv']))
    .option('--record-column <name>', 'CSV column of the record id (default recordId)')
    .option('--external-column <name>', 'CSV column of the external id (default externalId)')
    .option('--sync-date-column <name>', 'CSV column of the sync date (default syncDate, if there is one; without: now)')
    .option('--data-columns <names>', 'CSV columns that go into the data, separated by commas', names)
    .option('--delimiter <character>', 'between CSV values (default ",")')
    .option('--if-bound <refuse|replace>', 'for rows whose record has another external id')
    .option('--if-taken <refuse|return|takeOver>', 'for rows whose external id another record has')
    .option('--direction <import|export>', 'recorded in the events of rows')
    .option('--reason <text>', 'recorded in the events of rows')
    .option('--refused <file>', 'write the refused lines here, as NDJSON')
    .option('--resume', 'go on where an import of this file stopped')
    .option('--restart', 'begin again, although one stopped')
    .action(
      inSession<ImportOptions & { apiKey?: string; url?: string; data?: string; json?: true }>(
        async (context, [backend = '', model = '', file = ''], options) => {
          return new Import(context, backend, model, file, options).run();
        },
      ),
    );
  leaf(program, 'export <backend> <model>', 'write all live bindings')
    .option('--as-of <instant|revision:n>', AS_OF)
    .addOption(new Option('--format <format>', 'default: ndjson').choices(['ndjson', 'csv']))
    .option('--data-columns <names>', 'members of the data as CSV columns of their own, in place of one column of JSON', names)
    .option('--out <file>', 'the file to write; it appears when it is complete')
    .action(
      inSession<ExportOptions>(async (context, [backend = '', model = ''], options) => {
        return exportBindings(context, backend, model, options);
      }),
    );
}

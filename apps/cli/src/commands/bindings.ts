/** Writes of one binding. */
import type { Command } from 'commander';
import { LedgerError, type Binding, type CommandError, type Direction, type JsonObject, type WriteAnswer } from '#client';
import { jsonObject, targetOf } from '../arguments.js';
import { UsageError } from '../exit-codes.js';
import { inSession, leaf } from '../leaf.js';
import type { Context } from '../session.js';
import { BINDING_COLUMNS, membersOf } from './show-binding.js';

interface WriteOptions {
  reason?: string;
  direction?: Direction;
}

interface TargetOptions extends WriteOptions {
  record?: string;
  external?: string;
  binding?: string;
}

interface BindOptions extends WriteOptions {
  syncDate?: string;
  data?: JsonObject;
  ifBound?: 'refuse' | 'replace';
  ifTaken?: 'refuse' | 'return' | 'takeOver';
}

interface SyncOptions extends TargetOptions {
  syncDate?: string;
  data?: JsonObject;
  force?: boolean;
}

const OWN_DATA = { ownData: true };

export function addBindingCommands(program: Command): void {
  addBind(program);
  addSync(program);
  addChangeData(program);
  addUnbind(program);
  addMove(program);
}

function addBind(program: Command): void {
  withWriteOptions(leaf(program, 'bind <backend> <model> <record> [external]', 'bind a record to an external id', OWN_DATA))
    .option('--sync-date <instant>', 'ISO 8601 with zone, or "none"; default: now')
    .option('--data <json|@file>', "merged into the binding's data (the folder's --data goes before the command)", bindingData)
    .option('--direction <import|export>', 'which way the job went')
    .option('--if-bound <refuse|replace>', 'when the record has another external id')
    .option('--if-taken <refuse|return|takeOver>', 'when another record has the external id')
    .action(
      inSession<BindOptions>(async (context, [backend = '', model = '', recordId = '', externalId], options) => {
        const { data, direction, ifBound, ifTaken, reason } = options;
        const syncDate = options.syncDate === 'none' ? null : options.syncDate;
        const request = { recordId, externalId, syncDate, data, direction, ifBound, ifTaken };
        const answer = await context.client.ledger(backend, model).bind(request, { reason });
        await show(context, answer, { displaced: answer.displaced?.recordId });
      }, OWN_DATA),
    );
}

function addSync(program: Command): void {
  withTarget(leaf(program, 'sync <backend> <model>', 'say that a binding was synchronized', OWN_DATA))
    .option('--sync-date <instant>', 'ISO 8601 with zone; default: now')
    .option('--data <json|@file>', "merged into the binding's data (the folder's --data goes before the command)", bindingData)
    .option('--direction <import|export>', 'which way the job went')
    .option('--force', 'also with a date that is not newer')
    .action(
      inSession<SyncOptions>(async (context, [backend = '', model = ''], options) => {
        const { syncDate, data, force, direction, reason } = options;
        const ledger = context.client.ledger(backend, model);
        await show(context, await ledger.sync(targetOf(options), { syncDate, data, force, direction }, { reason }));
      }, OWN_DATA),
    );
}

function addChangeData(program: Command): void {
  withTarget(leaf(program, 'change-data <backend> <model>', "change a binding's data", OWN_DATA))
    .requiredOption('--data <json|@file>', 'JSON merge patch: null takes a member away', bindingData)
    .action(
      inSession<TargetOptions & { data: JsonObject }>(async (context, [backend = '', model = ''], options) => {
        const ledger = context.client.ledger(backend, model);
        const command = { op: 'changeData' as const, ...targetOf(options), data: options.data, reason: options.reason };
        for await (const result of ledger.commands([command])) {
          if (result.error !== undefined) throw errorOfLine(result.error);
          await show(context, result);
        }
      }, OWN_DATA),
    );
}

function addUnbind(program: Command): void {
  withTarget(leaf(program, 'unbind <backend> <model>', 'end a binding; its history stays'))
    .option('--cause <requested|missingInBackend>', 'why')
    .action(
      inSession<TargetOptions & { cause?: 'requested' | 'missingInBackend' }>(
        async (context, [backend = '', model = ''], options) => {
          const { cause, reason } = options;
          await show(context, await context.client.ledger(backend, model).unbind(targetOf(options), { cause }, { reason }));
        },
      ),
    );
}

function addMove(program: Command): void {
  withWriteOptions(leaf(program, 'move <backend> <model>', 'move bindings to another record'))
    .option('--record <id>', 'all bindings of this record')
    .option('--binding <id>', 'this binding')
    .requiredOption('--to <record>', 'the record that gets them')
    .action(
      inSession<TargetOptions & { to: string }>(async ({ client, output }, [backend = '', model = ''], options) => {
        const { record, binding, to: toRecordId, reason } = options;
        if ((record === undefined) === (binding === undefined)) throw new UsageError('either --record or --binding');
        const request =
          record === undefined ? { bindingId: binding as string, toRecordId } : { fromRecordId: record, toRecordId };
        const answer = await client.ledger(backend, model).move(request, { reason });
        if (output.json) return output.answer(answer, {});
        await output.write(`${answer.outcome}\n`);
        if (answer.bindings.length > 0) await output.rows(answer.bindings, BINDING_COLUMNS);
      }),
    );
}

function withTarget(command: Command): Command {
  return withWriteOptions(command)
    .option('--record <id>', 'the binding of this record')
    .option('--external <id>', 'the binding with this external id')
    .option('--binding <id>', 'the binding with this id');
}

function withWriteOptions(command: Command): Command {
  return command.option('--reason <text>', 'recorded in the event');
}

/** A line's refusal, as if it had been a call of its own. */
function errorOfLine({ retryable = false, ...error }: CommandError): LedgerError {
  return new LedgerError({ status: 0, ...error, retryable });
}

/** Whoever means the folder learns where it goes. */
function bindingData(argument: string): JsonObject {
  if (!/^\s*[{@]/.test(argument)) {
    throw new UsageError(
      "--data is the binding's data here, a JSON object; the folder goes before the command: ledger --data FOLDER bind …",
    );
  }
  return jsonObject(argument);
}

async function show(
  { output }: Context,
  answer: WriteAnswer<WriteAnswer['outcome'], Binding | null>,
  more: Record<string, unknown> = {},
): Promise<void> {
  const members = answer.binding === null ? {} : membersOf(answer.binding);
  await output.answer(answer, { outcome: answer.outcome, ...members, ...more });
}

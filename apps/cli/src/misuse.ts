/** What the ledger does not admit, in the words of the command that it was given to. */
import type { Command } from 'commander';
import { isLedgerError } from '#client';
import { OptionRefused } from './exit-codes.js';

/** Members of requests whose options are called otherwise than they are. */
const NAMES: Readonly<Record<string, string>> = {
  recordId: 'record',
  externalId: 'external',
  bindingId: 'binding',
  toRecordId: 'to',
  fromRecordId: 'record',
  includeUnbound: 'unbound',
};

/** A request that is not well formed because of the command's options, or arguments, is wrong usage; anything else stays what it is. */
export function inWordsOf(command: Command, error: unknown): unknown {
  if (!isLedgerError(error, 'MALFORMED')) return error;
  const { errors } = error.problem as { errors?: unknown };
  if (!Array.isArray(errors) || errors.length === 0) return error;
  const sentences = (errors as { path?: string; message?: string }[]).map(({ path = '', message = '' }) => {
    const name = nameOf(command, path);
    return name === undefined ? undefined : `${name}: ${message}`;
  });
  if (sentences.includes(undefined)) return error;
  return new OptionRefused(sentences.join('; '), error.problem);
}

/** The option, or argument, that became a member of the request. */
function nameOf(command: Command, path: string): string | undefined {
  const [, member = '', ...within] = path.split('/');
  if (member === '' || within.some((part) => !/^\d+$/.test(part))) return undefined;
  const name = NAMES[member] ?? member.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const option = command.options.find(({ long }) => long === `--${name}`);
  if (option !== undefined) return command.getOptionValueSource(option.attributeName()) === 'cli' ? option.long : undefined;
  return command.registeredArguments.some((argument) => argument.name() === name) ? `<${name}>` : undefined;
}

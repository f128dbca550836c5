/** Values of arguments and options, read or refused. */
import { readFileSync } from 'node:fs';
import { text as textOfStream } from 'node:stream/consumers';
import { InvalidArgumentError } from 'commander';
import type { JsonObject } from '#client';
import { UsageError } from './exit-codes.js';

/** Text that is given directly or as `@FILE`. */
export function readArgument(argument: string): string {
  return argument.startsWith('@') ? readArgumentFile(argument.slice(1)) : argument;
}

/** A JSON object, given directly or as `@FILE`. */
export function jsonObject(argument: string): JsonObject {
  const text = readArgument(argument);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('A JSON object is expected.');
  return value as JsonObject;
}

export function count(argument: string): number {
  const value = Number(argument);
  if (!/^\d+$/.test(argument) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('A whole number is expected.');
  return value;
}

/** Names between commas. */
export function names(argument: string): string[] {
  const list = argument.split(',').map((name) => name.trim());
  if (list.includes('')) throw new InvalidArgumentError('Names are separated by commas.');
  return list;
}

/** For options that may be given several times. */
export function collect(argument: string, before: string[] = []): string[] {
  return [...before, argument];
}

/** `VALUE` or `VALUE=LABEL`, several times. */
export function version(argument: string, before: { value: string; label: string }[] = []): { value: string; label: string }[] {
  const at = argument.indexOf('=');
  const value = at === -1 ? argument : argument.slice(0, at);
  return [...before, { value, label: at === -1 ? value : argument.slice(at + 1) }];
}

/** `FIELD=VALUE`, several times. What is no JSON number, `true` or `false` is text. */
export function fieldFilter(argument: string, before: Record<string, string> = {}): Record<string, string> {
  const at = argument.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('FIELD=VALUE is expected.');
  return { ...before, [argument.slice(0, at)]: argument.slice(at + 1) };
}

/** Exactly one of the options that name a binding. */
export function targetOf(options: {
  record?: string;
  external?: string;
  binding?: string;
}): { recordId: string } | { externalId: string } | { bindingId: string } {
  const { record, external, binding } = options;
  if ([record, external, binding].filter((each) => each !== undefined).length !== 1) {
    throw new UsageError('name the binding by one of --record, --external and --binding');
  }
  if (record !== undefined) return { recordId: record };
  return external === undefined ? { bindingId: binding as string } : { externalId: external };
}

export interface PasswordOptions {
  passwordStdin?: true;
  passwordEnv?: string;
}

/** Never from an argument: every user of a machine can read those. */
export async function passwordOf(
  options: PasswordOptions,
  stdin: NodeJS.ReadableStream = process.stdin,
): Promise<string | undefined> {
  const { passwordStdin, passwordEnv } = options;
  if (passwordStdin && passwordEnv !== undefined) throw new UsageError('either --password-stdin or --password-env');
  if (passwordStdin) return (await textOfStream(stdin)).replace(/\r?\n$/, '');
  if (passwordEnv === undefined) return undefined;
  const password = process.env[passwordEnv];
  if (password === undefined) throw new UsageError(`--password-env: there is no variable ${passwordEnv}`);
  return password;
}

function readArgumentFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

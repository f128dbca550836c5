/** What a schema found wrong, as a refusal. */
import type { z } from 'zod';
import { refuse, type Problem, type Refusal, type RefusalCode } from '#domain';

/** At most this many problems are named. */
export const MAX_PROBLEMS = 20;
const MAX_MESSAGE_LENGTH = 200;
const MAX_PATH_LENGTH = 200;

type Issue = z.core.$ZodIssue;

/**
 * One code says what is wrong when all problems have it; several kinds at once are `MALFORMED`. Messages never quote the
 * value: it could be a secret, or a megabyte.
 */
export function refusalOfIssues(issues: readonly Issue[], what = 'the request'): Refusal {
  const [first] = issues;
  if (first === undefined) throw new Error('broken invariant: a schema refuses without saying why');
  const code = issues.every((issue) => codeOf(issue) === codeOf(first)) ? codeOf(first) : 'MALFORMED';
  const errors = issues.slice(0, MAX_PROBLEMS).flatMap(problemsOfIssue);
  return refuse(code, errors.length === 1 ? detailOf(what, errors[0] as Problem) : `${what} is not well formed`, { errors });
}

function detailOf(what: string, { path, message }: Problem): string {
  return path === '' ? `${what}: ${message}` : `${path}: ${message}`;
}

function codeOf(issue: Issue): RefusalCode {
  const refusal: unknown = issue.code === 'custom' ? issue.params?.['refusal'] : undefined;
  return typeof refusal === 'string' ? (refusal as RefusalCode) : 'MALFORMED';
}

function problemsOfIssue(issue: Issue): Problem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: pointerOf(issue.path), message: messageOf(issue) }];
  return issue.keys
    .slice(0, MAX_PROBLEMS)
    .map((key) => ({ path: pointerOf([...issue.path, key]), message: 'there is no such field' }));
}

function messageOf(issue: Issue): string {
  if (issue.code === 'invalid_type') return `must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') return `must be ${oneOf(issue.values)}`;
  // A union of which no member was chosen: it is told apart by one field, which is missing or has none of its values.
  if (issue.code === 'invalid_union' && 'options' in issue && issue.options !== undefined)
    return `must be ${oneOf(issue.options)}`;
  return cut(issue.message, MAX_MESSAGE_LENGTH);
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a JSON object',
  record: 'a JSON object',
};

function oneOf(values: readonly unknown[]): string {
  const listed = values.map((value) => JSON.stringify(value)).join(', ');
  return values.length === 1 ? listed : `one of ${listed}`;
}

/** JSON Pointer (RFC 6901). */
function pointerOf(path: readonly PropertyKey[]): string {
  const pointer = path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return cut(pointer, MAX_PATH_LENGTH);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

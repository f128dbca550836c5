/** What the program's exit code says. The table in docs/cli.md lists them. */
import { isLedgerError, type LedgerError, type Problem } from '#client';

export const EXIT = {
  ok: 0,
  /** Something failed that is none of the below: a file that cannot be read, an answer that makes no sense. */
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  /** A repeat may succeed. */
  unavailable: 5,
  /** A ledger, or the file of one, is not what it was. */
  broken: 6,
  /** As shells have it for a program that SIGINT ended. */
  interrupted: 130,
} as const;

/** How the command was used is wrong: said in one line, with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The ledger does not admit what an option or an argument of the command says; `problem` is its own word for it. */
export class OptionRefused extends UsageError {
  constructor(
    message: string,
    readonly problem: Problem,
  ) {
    super(message);
  }
}

/** The stores of a data folder cannot be opened now. */
const UNAVAILABLE_STORE = new Set(['IN_USE', 'UNAVAILABLE', 'OUTCOME_UNKNOWN']);

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (isLedgerError(error)) return exitCodeOfProblem(error);
  if (error instanceof Error && error.name === 'EventStoreError' && UNAVAILABLE_STORE.has(codeOf(error) ?? ''))
    return EXIT.unavailable;
  return EXIT.failed;
}

/** Of a refusal, whether it was thrown or stands in a line of an answer. */
export function exitCodeOfProblem(problem: { code: string; retryable?: boolean; status?: number }): number {
  if (problem.retryable === true) return EXIT.unavailable;
  if (isOfAnotherServer(problem.code)) return EXIT.failed;
  if (problem.code === 'NOT_BOUND' || problem.code.endsWith('_NOT_FOUND')) return EXIT.notFound;
  if ((problem.status ?? 0) >= 500) return EXIT.failed;
  return EXIT.refused;
}

/** Whoever read our output has gone, as `head` does when it has seen enough. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'EPIPE';
}

/** One line that says what went wrong; never a stack. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isLedgerError(error)) return `${error.code}: ${error.detail}${whatIsWrong(error.problem)}${whatToLookAt(error)}`;
  return `${error.message.split('\n', 1)[0] ?? error.name}${codeOf(error) === 'IN_USE' ? OF_A_SERVER : ''}`;
}

const OF_A_SERVER = '; if a server has it, talk to that server with --url';

/** What answers at the URL is no binding ledger, or none of this version. */
function isOfAnotherServer(code: string): boolean {
  return code === 'UNEXPECTED_ANSWER' || code === 'ROUTE_NOT_FOUND' || code === 'METHOD_NOT_ALLOWED';
}

function whatToLookAt({ code }: LedgerError): string {
  if (isOfAnotherServer(code))
    return ' (is it a binding ledger that answers at --url? Its path is empty, unless a proxy adds one)';
  return code === 'UNREACHABLE' ? ' (is the server running, and are the host and port of --url right?)' : '';
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const SHOWN_ERRORS = 3;

/** What is wrong where, in words: the first few of a problem's `errors`, where its detail does not say them already. */
export function whatIsWrong(problem: unknown): string {
  const { detail = '', errors } = (problem ?? {}) as { detail?: string; errors?: unknown };
  if (!Array.isArray(errors)) return '';
  const sentences = (errors as { path?: string; message?: string }[])
    .filter(({ message }) => message === undefined || !detail.includes(message))
    .map(({ path = '', message = '' }) => `${path} ${message}`.trim());
  if (sentences.length === 0) return '';
  return ` (${sentences.slice(0, SHOWN_ERRORS).join('; ')}${sentences.length > SHOWN_ERRORS ? '; …' : ''})`;
}

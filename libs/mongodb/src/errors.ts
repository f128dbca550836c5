import {
  MongoAPIError,
  MongoClientClosedError,
  MongoError,
  MongoExpiredSessionError,
  MongoNotConnectedError,
  MongoServerClosedError,
  MongoServerError,
  MongoTopologyClosedError,
} from 'mongodb';

/** An id that must be new is taken. */
const DUPLICATE_KEY = 11_000;
/** Server codes that speak of what was asked, not of the server's state: asking again would not help. */
const ASKED_WRONGLY: ReadonlySet<unknown> = new Set([2, 9, 14, 17, 52, 57, 72, 85, 86, DUPLICATE_KEY]);
/** Of the errors that speak of how the driver was used, those that speak of a connection that has ended. */
const ENDED = [
  MongoClientClosedError,
  MongoExpiredSessionError,
  MongoNotConnectedError,
  MongoServerClosedError,
  MongoTopologyClosedError,
];

export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}

/**
 * Whether the database could not do something now: lost, slow, shutting down, not the primary, not letting this user in.
 * Anything else is a mistake in how it was asked.
 */
export function isUnavailable(error: unknown): error is Error {
  if (!(error instanceof MongoError)) return isOfSocket(error);
  if (error instanceof MongoServerError) return !ASKED_WRONGLY.has(error.code);
  return !(error instanceof MongoAPIError) || ENDED.some((kind) => error instanceof kind);
}

/** A socket's own error: the driver hands on some of them as they are, when a connection is reset while it writes. */
function isOfSocket(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall !== undefined || /^ERR_(STREAM|SOCKET|TLS|SSL)_/.test(code ?? '');
}

/** What may be said of an error: nothing of a URL's user and password. */
export function messageOf(error: unknown, url = ''): string {
  const message = error instanceof Error ? error.message : String(error);
  return secretsOf(url)
    .reduce((text, secret) => text.replaceAll(secret, '***'), message)
    .replace(/(mongodb(?:\+srv)?:\/\/)[^/\s]*@/g, '$1***@');
}

/** The password as it stands in the URL, and as it reads; and both of `user:password`. */
function secretsOf(url: string): string[] {
  const [, credentials] = /^[a-z+]+:\/\/(.*)@/s.exec(url) ?? [];
  if (credentials === undefined) return [];
  const password = credentials.slice(credentials.indexOf(':') + 1);
  return [credentials, password, decoded(password)].filter((secret) => secret !== '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

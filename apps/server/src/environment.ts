/** What the environment says of the server itself; what it says of the ledger, `configFromEnvironment` reads. */
import { LOG_LEVELS, type LogLevel } from './logging.js';

export interface ServerEnvironment {
  port: number;
  host: string;
  logLevel: LogLevel;
}

const DEFAULT_PORT = 3_000;
const LOOPBACK = '127.0.0.1';
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set([LOOPBACK, '::1', 'localhost']);

/** A variable that cannot be used; its message names it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** @throws {ConfigurationError} */
export function serverEnvironment(environment: NodeJS.ProcessEnv): ServerEnvironment {
  const host = filled(environment['HOST']) ?? LOOPBACK;
  const insecure = filled(environment['LEDGER_INSECURE']);
  if (insecure !== undefined && insecure !== 'true')
    throw new ConfigurationError(`LEDGER_INSECURE is true or nothing, not ${JSON.stringify(insecure)}`);
  if (!isLoopback(host) && insecure === undefined) {
    throw new ConfigurationError(
      `HOST ${host} can be reached by others, and there are no API keys: use 127.0.0.1, or set LEDGER_INSECURE=true where something else keeps others away`,
    );
  }
  return {
    port: portFrom(environment['PORT']),
    host,
    logLevel: logLevelFrom(environment['LOG_LEVEL']),
  };
}

/** Without API keys everybody who reaches the server may do everything. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_HOSTS.has(host);
}

function portFrom(text: string | undefined): number {
  const given = filled(text);
  if (given === undefined) return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ConfigurationError(`PORT is a number from 0 to 65535, not ${JSON.stringify(given)}`);
}

function logLevelFrom(text: string | undefined): LogLevel {
  const given = filled(text) ?? 'info';
  const level = LOG_LEVELS.find((each) => each === given);
  if (level !== undefined) return level;
  throw new ConfigurationError(`LOG_LEVEL is one of ${LOG_LEVELS.join(', ')}, not ${JSON.stringify(given)}`);
}

function filled(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}

export { createServer, type LedgerServer, type ServerOptions } from './server.js';
export { createLogger, LOG_LEVELS, type LogLevel } from './logging.js';
export { PROBLEM_KINDS, type ProblemCode, type ProblemKind } from './http/problem-codes.js';

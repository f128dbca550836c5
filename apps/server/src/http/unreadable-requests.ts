/** What Node's parser cannot read never becomes a request: it is answered here, on the bare connection, and as a problem all the same. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Connections } from './connections.js';
import { PROBLEM_JSON } from './problem-filter.js';
import { problemOf, type ProblemDocument, type Refused } from './problem.js';

const TOO_LARGE: Refused = { refused: 'TOO_LARGE', detail: 'path, query and headers have at most 16 KiB together' };
const BROKEN_OFF: Refused = { refused: 'MALFORMED', detail: 'the request ends before its end' };
const NO_PROXY: Refused = { refused: 'MALFORMED', detail: 'CONNECT asks for a proxy, and this server is none' };
const REFUSALS: Readonly<Record<string, Refused>> = {
  HPE_HEADER_OVERFLOW: TOO_LARGE,
  HPE_INVALID_EOF_STATE: BROKEN_OFF,
};
/** Nothing was asked that could be answered: a connection that was opened and not used, or that is gone. */
const WITHOUT_ANSWER: ReadonlySet<string> = new Set(['ERR_HTTP_REQUEST_TIMEOUT', 'ECONNRESET', 'EPIPE']);

export function refuseUnreadable(error: Error, socket: Socket, connections: Connections): void {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (WITHOUT_ANSWER.has(code)) socket.destroy();
  else refuse(REFUSALS[code] ?? notHttp(code), socket, connections);
}

/** Node hands over the bare connection of a CONNECT, and closes it without a word when nobody takes it. */
export function refuseTunnel(socket: Socket, connections: Connections): void {
  // Whoever goes away meanwhile is no fault of the server.
  socket.on('error', () => socket.destroy());
  refuse(NO_PROXY, socket, connections);
}

/** Answers where an answer can stand: an answer that is under way is never written into. The connection is of no more use. */
function refuse(refused: Refused, socket: Socket, connections: Connections): void {
  const exchanges = connections.exchangesOf(socket);
  const last = exchanges.at(-1);
  if (socket.destroyed || !socket.writable) return void socket.destroy();
  // What is behind a complete request cannot be read. Its own answer is sent first, and nothing after it.
  if (last?.request.complete === true) return void last.response.once('close', () => socket.destroySoon());
  if (last !== undefined && (exchanges.length > 1 || last.response.headersSent)) return void socket.destroy();
  socket.write(textOf(problemOf(refused)));
  socket.destroySoon();
}

/** The parser's own message is left out: its code says as much, and never quotes what was sent. */
function notHttp(code: string): Refused {
  return { refused: 'MALFORMED', detail: `this is no request of HTTP/1.1 (${code || 'unreadable'})` };
}

function textOf(problem: ProblemDocument): string {
  const body = JSON.stringify(problem);
  const headers = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-correlation-id: ${randomUUID()}`,
    'x-content-type-options: nosniff',
    'connection: close',
  ];
  return `${headers.join('\r\n')}\r\n\r\n${body}`;
}

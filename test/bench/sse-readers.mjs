/** The other end of the SSE bench, in a process of its own: so many readers, who count events without parsing them. */
import { once } from 'node:events';
import { connect } from 'node:net';

const [url, count, query] = [new URL(process.argv[2]), Number(process.argv[3]), process.argv[4] ?? ''];
const MARK = Buffer.from('\ndata: ');
let events = 0;
let wanted = Infinity;

process.on('message', ({ total }) => {
  wanted = total;
  tell();
});

function tell() {
  if (events < wanted) return;
  wanted = Infinity;
  process.send({ events, at: performance.timeOrigin + performance.now() });
}

/** Occurrences of the mark, also one that is cut between two pieces. */
function counter() {
  let rest = Buffer.alloc(0);
  return (piece) => {
    const text = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let found = 0;
    for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, at + 1)) found += 1;
    rest = text.subarray(Math.max(0, text.length - MARK.length + 1));
    return found;
  };
}

for (let opened = 0; opened < count; opened += 1) {
  const socket = connect(Number(url.port), url.hostname);
  await once(socket, 'connect');
  const found = counter();
  socket.on('data', (piece) => {
    events += found(piece);
    tell();
  });
  socket.write(`GET /v1/events${query} HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n`);
  await once(socket, 'data');
}
process.send({ ready: true });

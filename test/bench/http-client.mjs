/**
 * The other end of the bulk bench over HTTP, in a process of its own: streams commands, counts answers, and tells how long it took, as
 * often as it is asked to.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { pair } from './in-turn.mjs';

const PIECE_LINES = 500;

function piecesOf(count) {
  const pieces = [];
  for (let start = 0; start < count; start += PIECE_LINES) {
    let piece = '';
    for (let index = start; index < Math.min(count, start + PIECE_LINES); index += 1) {
      const [recordId, externalId] = pair(index);
      piece += `{"op":"bind","recordId":"${recordId}","externalId":"${externalId}","syncDate":"2026-01-01T00:00:00Z","data":{"group":"retail"}}\n`;
    }
    pieces.push(Buffer.from(piece));
  }
  return pieces;
}

async function stream(url, count) {
  // Made beforehand: what it costs to think of them is not the server's.
  const pieces = piecesOf(count);
  const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' } });
  const started = performance.now();
  const sending = (async () => {
    for (const piece of pieces) if (!sent.write(piece)) await once(sent, 'drain');
    sent.end();
  })();
  const [response] = await once(sent, 'response');
  let answers = 0;
  let refused = 0;
  for await (const piece of response) {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) answers += 1;
    if (piece.includes('"error"')) refused += 1;
  }
  await sending;
  process.send({ answers, refused, seconds: (performance.now() - started) / 1_000 });
}

process.on('message', ({ url, count }) => void stream(url, count));

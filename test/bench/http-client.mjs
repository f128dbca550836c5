/** The other end of the HTTP benches, in a process of its own: streams commands, counts answers, and tells how long it took. */
import { once } from 'node:events';
import { request } from 'node:http';

const [url, prefix, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const PIECE_LINES = 500;

/** Made beforehand: what it costs to think of them is not the server's. */
const pieces = [];
for (let start = 0; start < count; start += PIECE_LINES) {
  let piece = '';
  for (let index = start; index < Math.min(count, start + PIECE_LINES); index += 1) {
    piece += `{"op":"bind","recordId":"${prefix}${index}","externalId":"x${prefix}${index}","syncDate":"2026-01-01T00:00:00Z","data":{"group":"retail"}}\n`;
  }
  pieces.push(Buffer.from(piece));
}

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
process.disconnect();

/** Keeps a log in a file, so that a node that is started again has its events. Whole appends, or nothing, survive a kill. */
import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { LogEvent } from './log.js';
import { readResponse } from './wire.js';

const LENGTH_BYTES = 4;

export class LogFile {
  readonly #path: string;
  readonly #handle: number;

  readonly #flushes: boolean;

  /** @param flushes whether an append is on the disk before it is acknowledged, as with a node. */
  constructor(path: string, flushes = false) {
    this.#flushes = flushes;
    this.#path = path;
    this.#handle = openSync(path, 'a+');
  }

  /** All events of the file. An append whose end is missing was never acknowledged: it is cut off. */
  load(): LogEvent[] {
    const bytes = readFileSync(this.#path);
    const events: LogEvent[] = [];
    let at = 0;
    for (;;) {
      const end = at + LENGTH_BYTES + (at + LENGTH_BYTES <= bytes.length ? bytes.readUInt32BE(at) : Infinity);
      if (end > bytes.length) break;
      for (let inner = at + LENGTH_BYTES; inner < end;) {
        const length = bytes.readUInt32BE(inner);
        events.push(decode(bytes.subarray(inner + LENGTH_BYTES, inner + LENGTH_BYTES + length)));
        inner += LENGTH_BYTES + length;
      }
      at = end;
    }
    if (at < bytes.length) ftruncateSync(this.#handle, at);
    return events;
  }

  write(append: readonly LogEvent[]): void {
    const parts = append.flatMap(({ recorded }) => [lengthOf(recorded.length), recorded]);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const bytes = Buffer.concat([lengthOf(length), ...parts]);
    for (let done = 0; done < bytes.length;) done += writeSync(this.#handle, bytes, done);
    if (this.#flushes) fdatasyncSync(this.#handle);
  }

  close(): void {
    closeSync(this.#handle);
  }
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32BE(length);
  return bytes;
}

function decode(recorded: Uint8Array): LogEvent {
  const event = streams.ReadResp.ReadEvent.RecordedEvent.deserializeBinary(recorded);
  const position = Number(event.getCommitPosition());
  const metadata = event.getMetadataMap();
  return {
    stream: Buffer.from(event.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8'),
    revision: BigInt(event.getStreamRevision()),
    position,
    id: event.getId()?.getString() ?? '',
    type: metadata.get('type') ?? '',
    createdMs: Number(BigInt(metadata.get('created') ?? 0) / 10_000n),
    recorded,
    response: readResponse(recorded, position),
  };
}

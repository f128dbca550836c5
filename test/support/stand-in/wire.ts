/**
 * Events as they go over the wire. An event is encoded once, when it is committed, and every reader is sent the same bytes; and
 * what appends carry is taken from the bytes as it is. By way of the generated classes this would cost more than all the rest.
 */
import streams from '@eventstore/db-client/generated/streams_pb.js';

export interface Proposal {
  id: string;
  type: string;
  contentType: string;
  data: Uint8Array;
  metadata: Uint8Array;
}

/** Revision of the event that a tombstone leaves: the highest there is. */
export const DELETED_STREAM = 9_223_372_036_854_775_807n;
const TICKS_PER_MILLISECOND = 10_000n;

export interface Encoded {
  /** `RecordedEvent`, of `Streams.Read` and of `PersistentSubscriptions.Read` alike. */
  recorded: Uint8Array;
  /** `Streams.ReadResp` with it. */
  response: Uint8Array;
}

/** Encodes the events of one append. Commit and prepare position of an event are the same, as after a single write. */
export class EventEncoder {
  readonly #stream: Buffer;
  readonly #created: Buffer;
  readonly #kinds = new Map<string, Buffer>();

  constructor(stream: string, createdMs: number) {
    this.#stream = bytesField(2, textField(3, stream));
    this.#created = mapEntry(6, 'created', String(BigInt(createdMs) * TICKS_PER_MILLISECOND));
  }

  encode({ id, type, contentType, metadata, data }: Proposal, revision: bigint, position: number): Encoded {
    const kind = this.#kindOf(type, contentType);
    const number = revision === DELETED_STREAM ? undefined : Number(revision);
    const numbers = 3 + (number === undefined ? 9 : varintLength(number)) + 2 * varintLength(position);
    const idLength = Buffer.byteLength(id);
    const known = idLength + 4 + this.#stream.length + this.#created.length + kind.length;
    const length = numbers + known + fieldLength(metadata.length) + fieldLength(data.length);
    const eventLength = 2 + varintLength(position) + varintLength(length) + length;
    const buffer = Buffer.allocUnsafe(1 + varintLength(eventLength) + eventLength);
    let at = writeHead(buffer, 0, 1, eventLength);
    at = writeNumber(buffer, at, 3, position);
    at = writeHead(buffer, at, 1, length);
    const start = at;
    at = writeHead(buffer, at, 1, idLength + 2);
    at = writeHead(buffer, at, 2, idLength);
    at += buffer.write(id, at);
    at += this.#stream.copy(buffer, at);
    at = number === undefined ? writeDeletedStream(buffer, at) : writeNumber(buffer, at, 3, number);
    at = writeNumber(buffer, at, 4, position);
    at = writeNumber(buffer, at, 5, position);
    at += kind.copy(buffer, at);
    at += this.#created.copy(buffer, at);
    at = writeBytes(buffer, at, 7, metadata);
    writeBytes(buffer, at, 8, data);
    return { recorded: buffer.subarray(start), response: buffer };
  }

  #kindOf(type: string, contentType: string): Buffer {
    const key = `${contentType} ${type}`;
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    const kind = Buffer.concat([mapEntry(6, 'type', type), mapEntry(6, 'content-type', contentType)]);
    this.#kinds.set(key, kind);
    return kind;
  }
}

/** `Streams.ReadResp` with an event that is encoded already. */
export function readResponse(recorded: Uint8Array, position: number): Uint8Array {
  return bytesField(1, Buffer.concat([numberField(3, position), bytesField(1, recorded)]));
}

/** `Streams.ReadResp` with a checkpoint. */
export function checkpointResponse(position: number): Uint8Array {
  return bytesField(3, Buffer.concat([numberField(1, position), numberField(2, position)]));
}

/** `PersistentSubscriptions.ReadResp` with an event that is encoded already. */
export function persistentResponse(recorded: Uint8Array, position: number, retryCount: number): Uint8Array {
  return bytesField(1, Buffer.concat([bytesField(1, recorded), numberField(3, position), numberField(5, retryCount)]));
}

/** Data of an encoded `RecordedEvent`, as text. */
export function dataOf(recorded: Uint8Array): string {
  return Buffer.from(streams.ReadResp.ReadEvent.RecordedEvent.deserializeBinary(recorded).getData_asU8()).toString('utf8');
}

/** Fields of a message, each with its number and its bytes or number, in their order. */
export function* fieldsOf(
  bytes: Buffer,
  start = 0,
  end = bytes.length,
): Generator<{ field: number; value: number; from: number; to: number }> {
  for (let at = start; at < end;) {
    const [tag, afterTag] = readVarint(bytes, at);
    const [value, afterValue] = readVarint(bytes, afterTag);
    const isBytes = (tag & 7) === LENGTH_DELIMITED;
    if (!isBytes && (tag & 7) !== VARINT) throw new RangeError(`There is no field of wire type ${tag & 7} here.`);
    at = isBytes ? afterValue + value : afterValue;
    if (at > end) throw new RangeError('The message is cut off.');
    yield { field: tag >>> 3, value, from: afterValue, to: at };
  }
}

const LENGTH_DELIMITED = 2;
const VARINT = 0;

function readVarint(bytes: Buffer, start: number): [value: number, end: number] {
  let value = 0;
  let factor = 1;
  for (let at = start; ; at++) {
    const byte = bytes[at];
    if (byte === undefined) throw new RangeError('The message is cut off.');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at + 1];
    factor *= 128;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Length of a field of bytes, which is left out when it is empty. */
function fieldLength(length: number): number {
  return length === 0 ? 0 : 1 + varintLength(length) + length;
}

function writeVarint(buffer: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) + 128;
  buffer[at] = rest;
  return at + 1;
}

function writeHead(buffer: Buffer, at: number, field: number, length: number): number {
  buffer[at] = (field << 3) | LENGTH_DELIMITED;
  return writeVarint(buffer, at + 1, length);
}

function writeNumber(buffer: Buffer, at: number, field: number, value: number): number {
  buffer[at] = field << 3;
  return writeVarint(buffer, at + 1, value);
}

function writeDeletedStream(buffer: Buffer, start: number): number {
  buffer[start] = 3 << 3;
  buffer.fill(0xff, start + 1, start + 9);
  buffer[start + 9] = 0x7f;
  return start + 10;
}

function writeBytes(buffer: Buffer, start: number, field: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return start;
  const at = writeHead(buffer, start, field, bytes.length);
  buffer.set(bytes, at);
  return at + bytes.length;
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(1 + varintLength(bytes.length) + bytes.length);
  buffer.set(bytes, writeHead(buffer, 0, field, bytes.length));
  return buffer;
}

function numberField(field: number, value: number): Buffer {
  const buffer = Buffer.allocUnsafe(1 + varintLength(value));
  writeNumber(buffer, 0, field, value);
  return buffer;
}

function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text, 'utf8'));
}

function mapEntry(field: number, key: string, value: string): Buffer {
  return bytesField(field, Buffer.concat([textField(1, key), textField(2, value)]));
}

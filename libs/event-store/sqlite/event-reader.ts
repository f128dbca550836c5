import {
  NO_STREAM,
  START,
  type JsonObject,
  type Position,
  type RecordedEvent,
  type Revision,
  type StoredText,
} from '#event-store';
import { pragma, type SqliteDatabase } from '#sqlite';

/** A part of the store in its order. `end`: there was nothing behind it when it was read. */
export interface Page {
  events: RecordedEvent[];
  end: boolean;
}

/** Rows are fetched in chunks of this many, so that a page of large events stops soon after its byte limit. */
const CHUNK_EVENTS = 128;
/** A page of everything looks at most at this many events for some that match. */
const MAX_SEARCHED_EVENTS = 8_192;
const SEARCHED_AT_ONCE = 1_024;
const MAX_KNOWN_STREAMS = 10_000;
const MAX_KNOWN_PREFIXES = 1_000;
/** Enough digits for every position that a number holds exactly. */
const POSITION_DIGITS = 16;
const POSITION_PATTERN = /^\d{16}$/;

/** From one event to another. */
interface Run {
  matches: boolean;
  first: number;
  last: number;
}

/** `json`: the array of data and metadata, since one text is handed over and parsed sooner than two. */
type RowOf<Stream> = [
  position: number,
  stream: Stream,
  revision: Revision,
  id: string,
  type: string,
  json: string,
  storedAt: number,
];
type Row = RowOf<string>;
type TextRow = [revision: Revision, id: string, type: string, data: string, metadata: string];
const REST_OF_COLUMNS = `e.revision, e.id, e.type, '[' || e.data || ',' || e.metadata || ']', e.stored_at`;

/** The reading side: synchronous, on a connection of the calling thread. */
export class EventReader {
  readonly #db: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepare>;
  /** Names of streams by their numbers. */
  readonly #names = new Map<number, string>();
  /** By prefixes: whether all streams up to a number have one of them. */
  readonly #coverages = new Map<string, { upTo: number; all: boolean }>();

  constructor(db: SqliteDatabase) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  ping(): void {
    pragma(this.#db, 'schema_version');
  }

  headRevision(stream: string): Revision {
    return this.#statements.headOfStream.get(stream)?.revision ?? NO_STREAM;
  }

  endPosition(): Position {
    const position = this.#statements.head.get()?.position ?? 0;
    return position === 0 ? START : formatPosition(position);
  }

  /** Events after a revision, or before it and the newest first: `limit` of them, or fewer once they have `maxBytes`. */
  ofStream(stream: string, backwards: boolean, from: Revision, { limit, maxBytes }: { limit: number; maxBytes: number }): Page {
    const statement = backwards ? this.#statements.backwards : this.#statements.forwards;
    return this.#chunks(limit, maxBytes, (last, count) => statement.all(stream, last?.revision ?? from, count));
  }

  /** As they are stored, and no more of each than that: a third of the time of a read goes into the columns, another into parsing. */
  textsOfStream(stream: string, from: Revision, limit: number, maxBytes: number): StoredText[] {
    const texts: StoredText[] = [];
    let bytes = 0;
    while (texts.length < limit && bytes < maxBytes) {
      const wanted = Math.min(CHUNK_EVENTS, limit - texts.length);
      const rows = this.#statements.texts.all(stream, texts.at(-1)?.revision ?? from, wanted);
      for (const row of rows) {
        texts.push({ revision: row[0], id: row[1], type: row[2], data: row[3], metadata: row[4] });
        bytes += row[3].length + row[4].length;
      }
      if (rows.length < wanted) return texts;
    }
    return texts;
  }

  /** Matching events after a position, and how far the store was searched for them. */
  everything(after: Position, prefixes: readonly string[], limit: number, maxBytes: number): Page & { position: Position } {
    const head = this.#statements.head.get()?.position ?? 0;
    const until = Math.min(head, parsePosition(after) + MAX_SEARCHED_EVENTS);
    const page = { events: [] as RecordedEvent[], bytes: 0 };
    let reached = parsePosition(after);
    const isFull = () => page.events.length >= limit || page.bytes >= maxBytes;
    // Whoever asks for all streams that there are, as the projector does, needs no search.
    const whole = this.#areAll(prefixes);
    while (reached < until && !isFull()) {
      const found = whole ? [] : this.#statements.streamsAfter.all(reached, until, SEARCHED_AT_ONCE);
      const runs = whole ? [{ matches: true, first: reached + 1, last: until }] : this.#runsOf(found, prefixes);
      for (const run of runs) {
        if (run.matches) this.#readRun(run, limit, maxBytes, page);
        if (isFull()) break;
        reached = run.last;
      }
      if (isFull()) reached = parsePosition((page.events.at(-1) as RecordedEvent).position);
      else if (found.length < SEARCHED_AT_ONCE) reached = Math.max(reached, until);
    }
    return { events: page.events, end: reached >= head, position: formatPosition(reached) };
  }

  /** Whether every stream of the store has one of the prefixes. New streams are looked at once for each set of prefixes. */
  #areAll(prefixes: readonly string[]): boolean {
    const key = JSON.stringify(prefixes);
    let coverage = this.#coverages.get(key);
    if (coverage === undefined) {
      if (this.#coverages.size >= MAX_KNOWN_PREFIXES) this.#coverages.clear();
      this.#coverages.set(key, (coverage = { upTo: 0, all: true }));
    }
    if (!coverage.all) return false;
    // It ends with the first that has none of them.
    for (const [no, name] of this.#statements.streamsFrom.iterate(coverage.upTo)) {
      coverage.upTo = no;
      coverage.all = prefixes.some((prefix) => name.startsWith(prefix));
      if (!coverage.all) break;
    }
    return coverage.all;
  }

  /** What follows on each other, and is all of streams that are asked for, or all of others. */
  #runsOf(found: readonly [position: number, stream: number][], prefixes: readonly string[]): Run[] {
    const runs: Run[] = [];
    let run: Run | undefined;
    for (const [position, stream] of found) {
      const name = this.#nameOf(stream);
      const matches = prefixes.some((prefix) => name.startsWith(prefix));
      if (run?.matches === matches) run.last = position;
      else runs.push((run = { matches, first: position, last: position }));
    }
    return runs;
  }

  #readRun({ first, last }: Run, limit: number, maxBytes: number, page: { events: RecordedEvent[]; bytes: number }): void {
    for (let from = first; from <= last && page.events.length < limit && page.bytes < maxBytes;) {
      const rows = this.#statements.between.all(from, last, Math.min(CHUNK_EVENTS, limit - page.events.length));
      for (const row of rows) {
        page.events.push(toEvent(row, this.#nameOf(row[1])));
        page.bytes += row[5].length;
        from = row[0] + 1;
      }
      if (rows.length === 0) return;
    }
  }

  #nameOf(stream: number): string {
    let name = this.#names.get(stream);
    if (name === undefined) {
      name = this.#statements.streamName.get(stream)?.name as string;
      if (this.#names.size >= MAX_KNOWN_STREAMS) this.#names.clear();
      this.#names.set(stream, name);
    }
    return name;
  }

  #chunks(limit: number, maxBytes: number, fetch: (last: RecordedEvent | undefined, count: number) => Row[]): Page {
    const events: RecordedEvent[] = [];
    let bytes = 0;
    while (events.length < limit && bytes < maxBytes) {
      const wanted = Math.min(CHUNK_EVENTS, limit - events.length);
      const rows = fetch(events.at(-1), wanted);
      for (const row of rows) {
        events.push(toEvent(row, row[1]));
        bytes += row[5].length;
      }
      if (rows.length < wanted) return { events, end: true };
    }
    return { events, end: false };
  }
}

export function formatPosition(position: number): Position {
  return position === 0 ? START : String(position).padStart(POSITION_DIGITS, '0');
}

/** @throws {RangeError} for what this store never gave out. */
export function parsePosition(position: Position): number {
  if (position === START) return 0;
  if (!POSITION_PATTERN.test(position)) throw new RangeError(`"${position}" is not a position of this store`);
  return Number(position);
}

function toEvent([position, , revision, id, type, json, storedAt]: RowOf<unknown>, stream: string): RecordedEvent {
  const parts = JSON.parse(json) as JsonObject[];
  const [data, metadata] = parts;
  if (data === undefined || metadata === undefined || parts.length !== 2) throw new Error(`event ${id} is damaged`);
  return {
    stream,
    revision,
    position: formatPosition(position),
    id,
    type,
    data,
    metadata,
    storedAt: formatTime(storedAt),
  };
}

let newestTime = { timeMs: 0, text: new Date(0).toISOString() };

/** Events of one append were stored at one time, which is written out once. */
export function formatTime(timeMs: number): string {
  if (newestTime.timeMs !== timeMs) newestTime = { timeMs, text: new Date(timeMs).toISOString() };
  return newestTime.text;
}

function prepare(db: SqliteDatabase) {
  const inStream = 'FROM streams s JOIN events e ON e.stream = s.no WHERE s.name = ?';
  const ofStream = `SELECT e.position, s.name, ${REST_OF_COLUMNS} ${inStream}`;
  const statements = {
    head: db.prepare<{ position: number | null }>('SELECT max(position) AS position FROM events'),
    headOfStream: db.prepare<{ revision: Revision | null }>(
      'SELECT max(revision) AS revision FROM events WHERE stream = (SELECT no FROM streams WHERE name = ?)',
    ),
    forwards: db.prepare<Row>(`${ofStream} AND e.revision > ? ORDER BY e.revision LIMIT ?`),
    backwards: db.prepare<Row>(`${ofStream} AND e.revision < ? ORDER BY e.revision DESC LIMIT ?`),
    // Reads no more of an event than its beginning.
    streamsAfter: db.prepare<[position: number, stream: number]>(
      'SELECT position, stream FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?',
    ),
    between: db.prepare<RowOf<number>>(
      `SELECT e.position, e.stream, ${REST_OF_COLUMNS} FROM events e WHERE e.position BETWEEN ? AND ? ORDER BY e.position LIMIT ?`,
    ),
    streamsFrom: db.prepare<[no: number, name: string]>('SELECT no, name FROM streams WHERE no > ? ORDER BY no'),
    streamName: db.prepare<{ name: string }>('SELECT name FROM streams WHERE no = ?'),
    texts: db.prepare<TextRow>(
      `SELECT e.revision, e.id, e.type, e.data, e.metadata ${inStream} AND e.revision > ? ORDER BY e.revision LIMIT ?`,
    ),
  };
  const { forwards, backwards, streamsAfter, streamsFrom, between, texts } = statements;
  for (const statement of [forwards, backwards, streamsAfter, streamsFrom, between, texts]) {
    statement.setReturnArrays(true);
  }
  return statements;
}

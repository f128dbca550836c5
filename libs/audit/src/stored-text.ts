/**
 * Events read from their text. Most are read by a pattern, which takes half the time of parsing and tells besides that the text is
 * canonical JSON, so that its hash can be made over it as it stands; all others are parsed.
 */
import type { JsonObject } from '#domain';
import type { StoredText } from '#event-store';
import { canonicalJson } from '#ledger';
import { knowText, NO_DATA } from './data-print.js';
import type { StoredEvent } from './stored-event.js';

/** What in canonical JSON stands between quotes as it is: no quote, backslash, control character or surrogate. */
const PLAIN = '[^"\\\\\\u0000-\\u001f\\ud800-\\udfff]*';
const TEXT_OR_NULL = `(?:"(${PLAIN})"|null)`;
/**
 * The data of a binding's creation, synchronization or change of data, its members in their order. What stands for `data` is checked
 * by itself: if that is canonical JSON, then so is the whole.
 */
const BINDING_DATA = new RegExp(
  `^\\{"bindingId":"(${PLAIN})"(?:,"data":(\\{.*\\}))?,"externalId":${TEXT_OR_NULL}(?:,"forced":(true))?,"recordId":"(${PLAIN})"` +
    `,"state":"(${PLAIN})"(?:,"syncDate":(?:"(${PLAIN})"|(null)))?,"version":([1-9][0-9]{0,14})\\}$`,
);

/** Metadata with the usual idempotency record: that it is canonical is known sooner than by making it anew. */
const KEYED_METADATA = new RegExp(
  `^\\{"actor":"${PLAIN}","at":"${PLAIN}"(?:,"causationId":"${PLAIN}")?,"correlationId":"${PLAIN}"(?:,"direction":"${PLAIN}")?` +
    `,"idempotency":\\{"key":"${PLAIN}","outcome":"${PLAIN}","request":"${PLAIN}","rest":\\{(?:"createdAt":"${PLAIN}")?\\}\\}` +
    `(?:,"onBehalfOf":"${PLAIN}")?(?:,"reason":"${PLAIN}")?,"schema":[1-9]\\}$`,
);

interface ReadData {
  data: JsonObject;
  /** Its text, where that is canonical. */
  text: string | undefined;
}

/** @throws {SyntaxError} */
function readData(text: string): ReadData {
  const match = BINDING_DATA.exec(text);
  const data = match === null ? undefined : dataOfMatch(match);
  return data === undefined ? { data: JSON.parse(text) as JsonObject, text: undefined } : { data, text };
}

/** Nothing when what stands for `data` is not canonical JSON. */
function dataOfMatch(match: RegExpExecArray): JsonObject | undefined {
  const dataText = match[2];
  const data = dataText === undefined ? undefined : canonicalOf(dataText);
  if (data === undefined && dataText !== undefined) return undefined;
  return {
    bindingId: match[1],
    data,
    externalId: match[3] ?? null,
    forced: match[4] === undefined ? undefined : true,
    recordId: match[5],
    state: shared('bound', match[6]),
    syncDate: match[8] === undefined ? sharedDate(match[7]) : null,
    version: Number(match[9]),
  } as JsonObject;
}

/** The one text where both are the same: what is compared with it later is then found to be it without a look at its characters. */
function shared(known: string, text: string | undefined): string | undefined {
  return text === known ? known : text;
}

let newestDate: string | undefined;

/** What is cut out of a text is a view of it, which makes all comparisons slow and keeps the whole text. */
function copyOf(cut: string): string {
  return JSON.parse(JSON.stringify(cut)) as string;
}

function sharedDate(date: string | undefined): string | undefined {
  if (date !== newestDate && date !== undefined) newestDate = copyOf(date);
  return date === undefined ? undefined : newestDate;
}

/** The object of which this is the canonical JSON, if it is. */
function canonicalOf(text: string): JsonObject | undefined {
  if (text === NO_DATA) return {};
  try {
    const value = JSON.parse(text) as JsonObject;
    const canonical = canonicalJson(value);
    if (canonical !== text) return undefined;
    // Of the two equal texts, this one is no part of the event's, which it would keep from being given up.
    knowText(value, canonical);
    return value;
  } catch {
    return undefined;
  }
}

const HASH = ',"hash":"';
const HASH_END = '"}';
const HASH_LENGTH = 64;
const AFTER_BEGIN = HASH_LENGTH + HASH_END.length;

/** Reads the events of a stream, one after the other: in a batch the metadata of all is one, but for the hash, and read once. */
export class TextReader {
  /** The metadata that was read last, as it stands before the digits of the hash. */
  private begin: string | undefined;
  private metadata: JsonObject = {};
  private metadataText = '';

  /** @throws {SyntaxError} */
  read({ revision, id, type, data: dataText, metadata: metadataText }: StoredText): StoredEvent {
    const hash = this.readMetadata(metadataText);
    // The data last: what is known of it is of what was read last.
    const { data, text } = readData(dataText);
    if (hash === undefined)
      return { revision, id, type, data, metadata: JSON.parse(metadataText) as JsonObject, dataText: text, chained: undefined };
    return {
      revision,
      id,
      type,
      data,
      metadata: this.metadata,
      dataText: text,
      chained: { hash, metadataText: this.metadataText },
    };
  }

  /** The hash at the end of metadata that is canonical without it, which is what is known then. */
  private readMetadata(text: string): string | undefined {
    const end = text.length - HASH_END.length;
    const hash = text.slice(end - HASH_LENGTH, end);
    if (!text.endsWith(HASH_END)) return undefined;
    const { begin } = this;
    const same = begin !== undefined && text.length === begin.length + AFTER_BEGIN && text.startsWith(begin);
    return same || this.learn(text) ? hash : undefined;
  }

  private learn(text: string): boolean {
    const begin = text.slice(0, -AFTER_BEGIN);
    if (!begin.endsWith(HASH)) return false;
    const metadataText = `${begin.slice(0, -HASH.length)}}`;
    const usual = KEYED_METADATA.test(metadataText);
    const metadata = usual ? (JSON.parse(metadataText) as JsonObject) : canonicalOf(metadataText);
    if (metadata === undefined || 'hash' in metadata) return false;
    this.begin = usual ? undefined : copyOf(begin);
    this.metadata = metadata;
    this.metadataText = metadataText;
    return true;
  }
}

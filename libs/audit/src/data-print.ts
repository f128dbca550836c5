/** Of data only what tells it from other data is kept. */
import type { JsonObject } from '#domain';
import { canonicalJson, sha256 } from '#ledger';

/** Data is kept as it is while it is short, else as its hash. */
const SHORT_DATA = 64;
export const NO_DATA = '{}';

/** The data that was read last, and its canonical JSON. */
let newest: { data: JsonObject; text: string } = { data: {}, text: NO_DATA };

export function knowText(data: JsonObject, text: string): void {
  newest = { data, text };
}

export function printOf(data: JsonObject): string {
  if (data === newest.data) return printOfText(newest.text);
  for (const _ in data) return printOfText(canonicalJson(data));
  return NO_DATA;
}

function printOfText(text: string): string {
  return text.length <= SHORT_DATA ? text : sha256(text);
}

/** Whether a text is the canonical JSON of the data that has the print. */
export function hasPrint(text: string, print: string): boolean {
  return text.startsWith('{') && printOfText(text) === print;
}

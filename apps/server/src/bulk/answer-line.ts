import { isRefusal, type Refusal } from '#domain';
import type { LocatedResult } from '#ledger';
import type { LocatedBinding } from '#read-model';
import { lineErrorOf } from '../http/problem.js';

/** What a line came to: what the ledger answered, or why it was no command. */
export type CommandOutcome = LocatedResult | Refusal;

/** What a line of a stream came to, as a line of the answer. */
export function answerLine(line: number, result: CommandOutcome): string {
  if (isRefusal(result)) return `{"line":${line},"error":${JSON.stringify(lineErrorOf(result))}}\n`;
  const { binding } = result;
  const plain = binding !== null && isAsExpected(result, MEMBERS_OF_ANSWER) && isAsExpected(binding, MEMBERS_OF_LIVE_BINDING);
  if (!plain) return `{"line":${line},${JSON.stringify(result).slice(1)}\n`;
  return `{"line":${line},"outcome":"${result.outcome}","binding":${textOf(binding)},"revision":${result.revision}}\n`;
}

/** Those that are written here. What has more of them, such as a binding that was unbound, is left to the platform. */
const [MEMBERS_OF_ANSWER, MEMBERS_OF_LIVE_BINDING] = [3, 13];

function isAsExpected(value: object, members: number): boolean {
  let found = 0;
  for (const _ in value) found += 1;
  return found === members;
}

/**
 * A live binding as JSON, its members in their order. A million of them are answered in a row, and this takes half as long as the
 * platform, which has to look for the members first. What the ledger made itself needs no escaping: names, states and times.
 */
function textOf(binding: LocatedBinding): string {
  const { id, recordId, externalId, syncDate, data, state, version, revision } = binding;
  return (
    `{"id":${quoted(id)}${placeOf(binding)}${quoted(recordId)},"externalId":${quoted(externalId)},"syncDate":${quoted(syncDate)},` +
    `"data":${JSON.stringify(data)},"state":"${state}","version":${version},"revision":${revision}${timesOf(binding)}}`
  );
}

/** What the answers of a stream have in common, and mostly those of a millisecond, is put together once. */
let place = { backend: '', model: '', localModel: null as string | null, text: '' };
let times = { createdAt: '', updatedAt: '', text: '' };

function placeOf({ backend, model, localModel }: LocatedBinding): string {
  if (place.backend !== backend || place.model !== model || place.localModel !== localModel) {
    const text = `,"backend":"${backend}","model":"${model}","localModel":${quoted(localModel)},"recordId":`;
    place = { backend, model, localModel, text };
  }
  return place.text;
}

function timesOf({ createdAt, updatedAt }: LocatedBinding): string {
  if (times.createdAt !== createdAt || times.updatedAt !== updatedAt)
    times = { createdAt, updatedAt, text: `,"createdAt":"${createdAt}","updatedAt":"${updatedAt}"` };
  return times.text;
}

function quoted(text: string | null): string {
  return JSON.stringify(text);
}

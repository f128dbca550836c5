import { canonicalJson, chainHash } from '#ledger';
import { isObject, show, type EventChecker, type KnownDigest, type StoredEvent } from './stored-event.js';

/** Recomputes the hash chain, from the first event or from a digest that is believed. */
export class ChainChecker implements EventChecker {
  revision: number;
  hash: string;

  constructor(after: KnownDigest = { revision: -1, hash: '' }) {
    this.revision = after.revision;
    this.hash = after.hash;
  }

  check(event: StoredEvent): string | undefined {
    const { revision, data, metadata } = event;
    if (revision !== this.revision + 1) return `it has revision ${revision}, and follows on revision ${this.revision}`;
    if (!isObject(data) || !isObject(metadata)) return 'its data or its metadata is no JSON object';
    const { hash } = metadata;
    if (typeof hash !== 'string') return 'its metadata has no hash';
    const computed = hashOfText(this.hash, event, hash) === hash ? hash : hashOf(this.hash, event);
    if (computed !== hash)
      return `its hash does not follow from its content and the event before: ${show(hash)} is stored, ${computed} is right`;
    this.revision = revision;
    this.hash = hash;
    return undefined;
  }
}

/** Of the text that is stored: where it is what the hash was made over, as a ledger writes it, the text need not be made again. */
function hashOfText(previous: string, event: StoredEvent, hash: string): string | undefined {
  const { json } = event;
  const end = `,"hash":"${hash}"}`;
  if (json === undefined || !json.metadata.endsWith(end)) return undefined;
  return chainHash(previous, event.revision, event, json.data, `${json.metadata.slice(0, -end.length)}}`);
}

function hashOf(previous: string, event: StoredEvent): string {
  const { hash: _, ...rest } = event.metadata;
  try {
    return chainHash(previous, event.revision, event, canonicalJson(event.data), canonicalJson(rest));
  } catch (error) {
    return `none (${error instanceof Error ? error.message : String(error)})`;
  }
}

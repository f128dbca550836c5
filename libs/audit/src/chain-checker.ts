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
    const hash = event.chained === undefined ? metadata['hash'] : event.chained.hash;
    if (typeof hash !== 'string') return 'its metadata has no hash';
    const computed = hashOf(this.hash, event);
    if (computed !== hash)
      return `its hash does not follow from its content and the event before: ${show(hash)} is stored, ${computed} is right`;
    this.revision = revision;
    this.hash = computed;
    return undefined;
  }
}

function hashOf(previous: string, event: StoredEvent): string {
  try {
    const data = event.dataText ?? canonicalJson(event.data);
    return chainHash(previous, event.revision, event, data, event.chained?.metadataText ?? unchained(event.metadata));
  } catch (error) {
    return `none (${error instanceof Error ? error.message : String(error)})`;
  }
}

function unchained({ hash: _, ...rest }: StoredEvent['metadata']): string {
  return canonicalJson(rest);
}

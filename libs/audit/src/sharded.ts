/**
 * Collections of millions of keys that never hold up the event loop: a `Map` that grows moves all of its entries at once, so
 * the keys are spread over many small ones.
 */
const SHARDS = 256;
const HASHED_CHARACTERS = 4;

export class ShardedMap<T> {
  /** Made when they are needed: most ledgers are small. */
  private readonly shards: (Map<string, T> | undefined)[] = Array.from({ length: SHARDS });

  get(key: string): T | undefined {
    return this.shard(key).get(key);
  }

  /** False when the key had a value, which is replaced. */
  set(key: string, value: T): boolean {
    const shard = this.shard(key);
    const { size } = shard;
    return shard.set(key, value).size > size;
  }

  delete(key: string): void {
    this.shard(key).delete(key);
  }

  private shard(key: string): Map<string, T> {
    let hash = key.length;
    for (let at = Math.max(0, key.length - HASHED_CHARACTERS); at < key.length; at += 1)
      hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
    return (this.shards[(hash ^ (hash >>> 8)) & (SHARDS - 1)] ??= new Map<string, T>());
  }
}

const CHUNK_BITS = 16;
const CHUNK = 1 << CHUNK_BITS;
const [SPACE, QUOTE, BACKSLASH] = [0x20, 0x22, 0x5c];

/**
 * Texts of millions of bindings, as their UTF-16 code units, in a few large pieces of memory: so the garbage collector neither moves
 * them nor looks at them, which for texts by themselves took longer than all that is done with them.
 */
export class Names {
  private readonly chunks: Uint16Array[] = [];
  private newest = new Uint16Array(0);
  private used = 0;

  /** Keeps a text, and answers where. */
  add(text: string): number {
    if (this.used + text.length > this.newest.length) {
      this.newest = new Uint16Array(Math.max(CHUNK, text.length));
      this.chunks.push(this.newest);
      this.used = 0;
    }
    const at = ((this.chunks.length - 1) << CHUNK_BITS) | this.used;
    this.put(at, text);
    // No text begins where its place could not be told from one in the next chunk.
    this.used = Math.min(this.used + text.length, CHUNK);
    if (this.used === CHUNK) this.newest = new Uint16Array(0);
    return at;
  }

  /** Over a text of at least its length. */
  put(at: number, text: string): void {
    const chunk = this.chunkOf(at);
    const start = at & (CHUNK - 1);
    for (let index = 0; index < text.length; index += 1) chunk[start + index] = text.charCodeAt(index);
  }

  /** Whether it is the text of this length that stands there. */
  isAt(at: number, length: number, text: string): boolean {
    if (length !== text.length) return false;
    const chunk = this.chunkOf(at);
    const start = at & (CHUNK - 1);
    for (let index = length - 1; index >= 0; index -= 1) if (chunk[start + index] !== text.charCodeAt(index)) return false;
    return true;
  }

  /** Whether the text stands in a piece of JSON, just as it is, from a place on. Never when JSON escapes one of its characters. */
  isIn(json: string, from: number, at: number, length: number): boolean {
    const chunk = this.chunkOf(at);
    const start = at & (CHUNK - 1);
    for (let index = 0; index < length; index += 1) {
      const code = chunk[start + index] as number;
      if (code !== json.charCodeAt(from + index) || code < SPACE || code === QUOTE || code === BACKSLASH) return false;
    }
    return true;
  }

  read(at: number, length: number): string {
    if (length === 0) return '';
    const start = at & (CHUNK - 1);
    return String.fromCharCode.apply(null, this.chunkOf(at).subarray(start, start + length) as unknown as number[]);
  }

  private chunkOf(at: number): Uint16Array {
    return this.chunks[at >>> CHUNK_BITS] as Uint16Array;
  }
}

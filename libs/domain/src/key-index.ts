/** Ids by a key that most often has one: a set is made only for a key that has several, which is what keeps millions cheap. */
export class KeyIndex {
  private readonly ids = new Map<string, string | Set<string>>();

  add(key: string, id: string): void {
    const known = this.ids.get(key);
    if (known === undefined) this.ids.set(key, id);
    else if (typeof known !== 'string') known.add(id);
    else if (known !== id) this.ids.set(key, new Set([known, id]));
  }

  remove(key: string, id: string): void {
    const known = this.ids.get(key);
    if (known === undefined) return;
    if (typeof known !== 'string') known.delete(id);
    if (typeof known === 'string' ? known === id : known.size === 0) this.ids.delete(key);
  }

  /** In the order in which they were added. */
  of(key: string): readonly string[] {
    const known = this.ids.get(key);
    if (known === undefined) return NONE;
    return typeof known === 'string' ? [known] : [...known];
  }
}

const NONE: readonly string[] = [];

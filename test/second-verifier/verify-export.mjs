// Verifies an exported ledger. A second verifier, written from docs/ARCHITECTURE.md and docs/test-vectors alone: it shares no code
// with the program, so that the two would have to be wrong in the same way.
//   node verify-export.mjs FILE
// Prints {"ok": true, "revision", "hash"} or {"ok": false, "line", "why"}; exit code 0 or 1.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Canonical JSON, RFC 8785: members by UTF-16 code units, numbers as ECMAScript writes them, only what must be escaped is. */
function canonical(value) {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const names = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
  return `{${names.map((name) => `${quoted(name)}:${canonical(value[name])}`).join(',')}}`;
}

const SHORT = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '"': '\\"', '\\': '\\\\' };
function quoted(text) {
  let out = '"';
  for (const unit of text.split('')) {
    const code = unit.charCodeAt(0);
    out += SHORT[unit] ?? (code < 0x20 ? `\\u${code.toString(16).padStart(4, '0')}` : unit);
  }
  return `${out}"`;
}

function hashOf(previous, { revision, id, type, data, metadata }) {
  const { hash: _, ...rest } = metadata;
  const parts = [previous, String(revision), id, type, canonical(data), canonical(rest)];
  return createHash('sha256')
    .update(Buffer.from(parts.join('\n'), 'utf8'))
    .digest('hex');
}

/** Who holds what, as far as the rules need it: an external id has one live binding, versions have no gap. */
class Holders {
  versions = new Map();
  holders = new Map();
  live = new Map();

  problemOf({ type, data }) {
    if (data.bindingId === undefined) return undefined;
    const { bindingId, version, externalId, state } = data;
    if (version !== (this.versions.get(bindingId) ?? 0) + 1) return 'a version is left out, or there twice';
    if ((version === 1) !== (type === 'BindingCreated')) return 'a binding begins with its creation';
    if (version > 1 && !this.live.has(bindingId)) return 'the binding was unbound before';
    this.versions.set(bindingId, version);
    const former = this.live.get(bindingId);
    if (former !== undefined && former !== null) this.holders.delete(former);
    this.live.delete(bindingId);
    if (state === 'unbound') return undefined;
    if (externalId !== null && this.holders.has(externalId)) return 'the external id has another live binding';
    if (externalId !== null) this.holders.set(externalId, bindingId);
    this.live.set(bindingId, externalId);
    return undefined;
  }
}

function verify(text) {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const holders = new Holders();
  let [header, ended, revision, hash, at] = [undefined, false, -1, '', ''];
  for (const [index, line] of lines.entries()) {
    const bad = (why) => ({ ok: false, line: index + 1, why });
    let value;
    try {
      value = JSON.parse(line);
    } catch {
      return bad('no JSON');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('no JSON object');
    if (ended) return bad('a line after the digest');
    if (header === undefined) {
      if (value.format !== 'binding-ledger-export' || value.formatVersion !== 1) return bad('no header of this format');
      header = value;
    } else if ('digest' in value) {
      const { digest } = value;
      const same = digest?.ledger === `${header.backend}/${header.model}` && digest.revision === revision;
      if (!same || digest.hash !== hash || digest.at !== at) return bad('not the digest of what is before it');
      ended = true;
    } else {
      const { data, metadata } = value;
      if (value.revision !== revision + 1) return bad('not the next revision');
      if (typeof data !== 'object' || data === null || typeof metadata !== 'object' || metadata === null) return bad('no event');
      if (metadata.hash !== hashOf(hash, value)) return bad('the hash does not follow');
      if (!(metadata.at >= at)) return bad('time goes backwards');
      const problem = holders.problemOf(value);
      if (problem !== undefined) return bad(problem);
      [revision, hash, at] = [value.revision, metadata.hash, metadata.at];
    }
  }
  return ended ? { ok: true, revision, hash } : { ok: false, line: lines.length, why: 'the digest is missing' };
}

const result = verify(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify(result));
process.exitCode = result.ok ? 0 : 1;

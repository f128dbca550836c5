/** Reading by a pattern and parsing must come to the same, whatever somebody wrote into the store. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#domain';
import type { StoredText } from '#event-store';
import { canonicalJson, chainHash } from '../../ledger/src/chain.js';
import { LedgerChecker } from './ledger-checker.js';
import type { StoredEvent } from './stored-event.js';
import { TextReader } from './stored-text.js';

const AT = '2026-03-03T09:00:00.000Z';
const RULES = { cardinality: 'one', dataSchema: null, indexes: [], localModel: 'res.partner' };
const OPENED = canonicalJson({ backendRevision: 1, modelRevision: 2, rules: RULES });
const META = `{"actor":"job","at":"${AT}","correlationId":"c","schema":1}`;
const DATA = '{"bindingId":"b1","data":{},"externalId":"e1","recordId":"r1","state":"bound","syncDate":null,"version":1}';
const HASH = 'a'.repeat(64);

function idAt(revision: number): string {
  return `019570b8-5e00-7000-8000-${String(revision).padStart(12, '0')}`;
}

const parsedOf = ({ data, metadata, ...rest }: StoredText): StoredEvent => ({
  ...rest,
  data: JSON.parse(data) as JsonObject,
  metadata: JSON.parse(metadata) as JsonObject,
});

/** Texts with hashes that are right for what they mean, but for those that `hashOf` says otherwise of. */
function chained(written: readonly { type: string; data: string; metadata: string }[], hashed = canonicalJson): StoredText[] {
  let hash = '';
  return written.map(({ type, data, metadata }, revision) => {
    const event = { revision, id: idAt(revision), type };
    const canonical = hashed === canonicalJson ? canonicalJson(JSON.parse(data)) : hashed(data);
    hash = chainHash(hash, revision, event, canonical, canonicalJson(JSON.parse(metadata)));
    return { ...event, data, metadata: metadata.replace(/\}\s*$/, `,"hash":"${hash}"}`) };
  });
}

function verdictOf(texts: readonly StoredText[], eventOf: (text: StoredText) => StoredEvent): string {
  const checker = new LedgerChecker(() => []);
  for (const text of texts) {
    const why = checker.check(eventOf(text));
    if (why !== undefined) return `${text.revision}: ${why}`;
  }
  return `${checker.hash} ${JSON.stringify(checker.bindings.counts)}`;
}

function verdicts(texts: readonly StoredText[]): [byText: string, parsed: string] {
  const reader = new TextReader();
  return [verdictOf(texts, (text) => reader.read(text)), verdictOf(texts, parsedOf)];
}

const ledgerOf = (data: string, metadata = META) => [
  { type: 'LedgerOpened', data: OPENED, metadata: META },
  { type: 'BindingCreated', data, metadata },
];

const VARIANTS: [what: string, data: string][] = [
  ['as it is written', DATA],
  ['a date', DATA.replace('null', `"${AT}"`)],
  ['a pending binding', DATA.replace('"e1"', 'null').replace('bound', 'pending')],
  ['members in another order', DATA.replace('"externalId":"e1","recordId":"r1"', '"recordId":"r1","externalId":"e1"')],
  ['white space', DATA.replaceAll(':', ': ')],
  ['a version with a fraction', DATA.replace('"version":1', '"version":1.0')],
  ['a version with an exponent', DATA.replace('"version":1', '"version":1e0')],
  ['a version of zero', DATA.replace('"version":1', '"version":0')],
  ['a negative version', DATA.replace('"version":1', '"version":-0')],
  ['a version too large', DATA.replace('"version":1', '"version":12345678901234567890')],
  ['an escaped letter', DATA.replace('"r1"', '"\\u00721"')],
  ['an escaped quote', DATA.replace('"r1"', '"r\\"1"')],
  ['an escaped slash', DATA.replace('"r1"', '"r\\/1"')],
  ['an escaped line feed', DATA.replace('"r1"', '"r\\n1"')],
  ['letters beyond ASCII', DATA.replace('"r1"', '"Großhandel ü 中 \u2028"')],
  ['letters beyond the first plane', DATA.replace('"r1"', '"\u{1F4D6}"')],
  ['an escaped lone surrogate', DATA.replace('"r1"', '"\\ud83d"')],
  ['a member twice', DATA.replace('"recordId"', '"recordId":"r0","recordId"')],
  ['the last member twice', DATA.replace('"version":1', '"version":7,"version":1')],
  ['an id twice, the second in data', DATA.replace('"data":{}', '"data":{"externalId":"x"},"externalId":"x"')],
  ['a member more', DATA.replace('"state"', '"sold":true,"state"')],
  ['a forced creation', DATA.replace('"recordId"', '"forced":true,"recordId"')],
  ['data', DATA.replace('{}', '{"a":{"b":[1,"x",null]},"c":"}"}')],
  ['data out of order', DATA.replace('{}', '{"b":1,"a":2}')],
  ['data with integers as names', DATA.replace('{}', '{"10":1,"9":2}')],
  ['data with a number of another form', DATA.replace('{}', '{"a":1.50}')],
  ['data with a member twice', DATA.replace('{}', '{"a":1,"a":2}')],
  ['data that looks like what follows', DATA.replace('{}', '{"a":"},\\"externalId\\":\\"e1\\""}')],
  ['long data', DATA.replace('{}', `{"a":"${'x'.repeat(200)}"}`)],
  ['data that is a list', DATA.replace('{}', '[]')],
];

describe('the data of an event', () => {
  it.each(VARIANTS)('with %s comes to the same, read by its text and parsed', (_, data) => {
    const [byText, parsed] = verdicts(chained(ledgerOf(data)));
    expect(byText).toBe(parsed);
    const { data: read, dataText } = new TextReader().read({ revision: 0, id: '', type: '', data, metadata: '{}' });
    expect(read).toEqual(JSON.parse(data));
    if (dataText !== undefined) expect(dataText).toBe(canonicalJson(JSON.parse(data)));
  });

  it('that is no canonical JSON has a hash of what it means, never of how it is written', () => {
    for (const [what, data] of VARIANTS.filter(([, text]) => canonicalJson(JSON.parse(text)) !== text)) {
      const [byText, parsed] = verdicts(chained(ledgerOf(data), String));
      expect([what, byText]).toEqual([what, expect.stringMatching(/hash does not follow/)]);
      // The first event has another hash too, made over its text, which is canonical: so only the second one can be wrong.
      expect(byText).toBe(parsed);
    }
  });

  it('is read by the pattern, as ledgers write it', () => {
    const wide = DATA.replace('{}', '{"a":1,"b":{"c":[]}}').replace('"recordId"', '"forced":true,"recordId"');
    for (const data of [DATA, wide, DATA.replace('"data":{},', '')])
      expect(new TextReader().read({ revision: 0, id: '', type: '', data, metadata: '{}' }).dataText).toBe(data);
  });

  it('with any piece of it cut out, doubled or changed comes to the same', () => {
    const pieces = [
      '{}',
      '"',
      '\\',
      ',',
      ':',
      '1',
      'null',
      '"data":{},',
      '"externalId":"e1",',
      '\u0001',
      'é',
      '{"a":1}',
      '}',
      ' ',
    ];
    const change = fc.record({ at: fc.nat(DATA.length), cut: fc.nat(12), piece: fc.constantFrom('', ...pieces) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let data = DATA;
        for (const { at, cut, piece } of changes) data = data.slice(0, at) + piece + data.slice(at + cut);
        const read = () => new TextReader().read({ revision: 0, id: '', type: '', data, metadata: '{}' });
        let parsed: unknown;
        try {
          parsed = JSON.parse(data);
        } catch {
          expect(read).toThrow(SyntaxError);
          return;
        }
        const event = read();
        expect(event.data).toEqual(parsed);
        if (event.dataText !== undefined) expect(event.dataText).toBe(canonicalJson(parsed));
      }),
      { numRuns: 3_000 },
    );
  });
});

const KEYED = `{"key":"k","outcome":"created","request":"${HASH}","rest":{"createdAt":"${AT}"}}`;
const METADATA: [what: string, metadata: string][] = [
  ['as it is written', META],
  ['another actor', META.replace('job', 'nobody')],
  ['an escaped letter', META.replace('job', '\\u006aob')],
  ['letters beyond ASCII', META.replace('job', 'Jürgen \u{1F4D6}')],
  ['members in another order', `{"schema":1,"actor":"job","at":"${AT}","correlationId":"c"}`],
  ['white space', META.replaceAll(',', ', ')],
  ['a member twice', META.replace('"actor"', '"actor":"x","actor"')],
  ['a hash of its own before', META.replace('"schema"', `"hash":"${HASH}","schema"`)],
  ['a number of another form', META.replace('"schema":1', '"schema":1.0')],
  ['no schema', META.replace(',"schema":1', '')],
  ['a schema of tomorrow', META.replace('"schema":1', '"schema":99')],
  ['an idempotency record', META.replace('"schema"', `"idempotency":${KEYED},"schema"`)],
  [
    'an idempotency record out of order',
    META.replace('"schema"', `"idempotency":${KEYED.replace('"key":"k",', '').replace('}', '},"key":"k"')},"schema"`),
  ],
  [
    'an idempotency record with a member twice',
    META.replace('"schema"', `"idempotency":${KEYED.replace('"key"', '"key":"x","key"')},"schema"`),
  ],
  ['a reason that looks like the end', META.replace('"schema"', `"reason":",\\"hash\\":\\"${HASH}\\"}","schema"`)],
];

describe('the metadata of an event', () => {
  it.each(METADATA)('with %s comes to the same, read by its text and parsed', (_, metadata) => {
    const last = { type: 'LedgerPaused', data: '{}', metadata: META };
    const texts = chained([...ledgerOf(DATA, metadata), last, { ...last, type: 'LedgerResumed', metadata }]);
    const [byText, parsed] = verdicts(texts);
    expect(byText).toBe(parsed);
    const reader = new TextReader();
    for (const text of texts) {
      const { chained: known, metadata: read } = reader.read(text);
      const { hash, ...rest } = JSON.parse(text.metadata) as JsonObject;
      expect(known === undefined ? read : { ...read, hash: known.hash }).toEqual({ ...rest, hash });
      if (known !== undefined) expect(known.metadataText).toBe(canonicalJson(rest));
    }
  });

  it.each([
    ['without a hash', META],
    ['with a hash that is short', META.replace('}', ',"hash":"abc"}')],
    ['with a hash that is no text', META.replace('}', ',"hash":1}')],
    ['with a hash in capitals', META.replace('}', `,"hash":"${HASH.toUpperCase()}"}`)],
    ['with the hash before the rest', META.replace('"schema"', `"hash":"${HASH}","schema"`)],
    ['with a hash that is escaped', META.replace('}', `,"hash":"${'\\u0061'.repeat(10)}abcd"}`)],
    ['with a hash and white space', META.replace('}', `,"hash": "${HASH}"}`)],
  ])('%s is refused both ways, also behind one that is good', (_, metadata) => {
    const good = chained(ledgerOf(DATA));
    const bad = { revision: 2, id: idAt(2), type: 'LedgerPaused', data: '{}', metadata };
    const [byText, parsed] = verdicts([...good, bad]);
    expect([byText, parsed]).toEqual([expect.stringMatching(/^2: .*hash/), expect.stringMatching(/^2: .*hash/)]);
  });

  it('of nothing but a hash is no metadata', () => {
    const metadata = `${HASH}"}`;
    expect(() => new TextReader().read({ revision: 0, id: '', type: '', data: '{}', metadata })).toThrow(SyntaxError);
  });
});

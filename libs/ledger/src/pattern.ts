/**
 * Patterns of schemas, in RE2's linear-time engine. Linear is not cheap: a pattern compiles to instructions (repetitions are
 * unrolled), and each character of a text may have to be looked at by each of them. So both are counted, before they are spent.
 */
import { RE2JS, RE2Set } from 're2js';
import { TooCostly } from './too-costly.js';

const MAX_PATTERN_LENGTH = 500;
/** A longer text matches no pattern: even a linear engine takes its time. */
const MAX_MATCHED_LENGTH = 16_384;
/** Of all patterns of a schema together. */
export const MAX_PATTERN_INSTRUCTIONS = 30_000;
/** What a class of Unicode (`\p{L}`) costs more than another to be compiled: it has hundreds of ranges. */
const INSTRUCTIONS_OF_PROPERTY = 50;
/** The engine keeps states that it has met; beyond this it does without them. Its own limit, 8 MiB for each pattern, is too much. */
const MAX_ENGINE_BYTES = 65_536;
const BYTES_OF_INSTRUCTION = 800;

const TOKEN =
  /\\Q(?<quoted>[^]*?)(?:\\E|$)|(?<nothing>\(\?[a-zA-Z-]+\)|\\E)|(?<property>\\[pP](?:\{[^}]*\}|[^]))|\\x\{[^}]*\}|\\[^]|(?<members>\[\^?\]?(?:\\[^]|\[:[^\]]*:\]|[^\]\\])*\])|(?<open>\((?:\?(?:P?<[^>]*>|[a-zA-Z-]*:?))?)|(?<close>\))|\{(?<least>\d+)(?<most>,\d*)?\}|(?<suffix>[*+?|])|[^]/g;

/** A pattern of a schema; `toString` is what Ajv tells patterns apart by. */
export class Pattern {
  private readonly set = new RE2Set(RE2Set.UNANCHORED, 0, MAX_ENGINE_BYTES);

  constructor(
    private readonly pattern: string,
    source: string,
    private readonly instructions: number,
  ) {
    this.set.add(source);
    this.set.compile();
  }

  test(text: string): boolean {
    return text.length <= MAX_MATCHED_LENGTH && this.set.match(text).length > 0;
  }

  /** At most this many times an instruction looks at a character of the text. */
  stepsOn({ length }: string): number {
    return length <= MAX_MATCHED_LENGTH ? this.instructions * (length + 1) : 1;
  }

  toString(): string {
    return this.pattern;
  }
}

/** The patterns of one schema, each compiled once. */
export class Patterns {
  private readonly known = new Map<string, Pattern>();
  private instructions = 0;

  /** What they may come to take of memory. */
  get bytes(): number {
    return this.instructions * BYTES_OF_INSTRUCTION + this.known.size * MAX_ENGINE_BYTES;
  }

  of(pattern: string): Pattern {
    const known = this.known.get(pattern);
    if (known !== undefined) return known;
    if (pattern.length > MAX_PATTERN_LENGTH) throw new Error(`a pattern has at most ${MAX_PATTERN_LENGTH} characters`);
    const source = RE2JS.translateRegExp(pattern);
    const { instructions, properties } = sizeOf(source);
    this.instructions += instructions + properties * INSTRUCTIONS_OF_PROPERTY;
    // Before it is compiled: a pattern of 500 characters may have half a million instructions.
    if (this.instructions > MAX_PATTERN_INSTRUCTIONS)
      throw new TooCostly(
        `the patterns of a schema have at most ${MAX_PATTERN_INSTRUCTIONS} instructions, with what they repeat written out`,
      );
    const compiled = new Pattern(pattern, source, instructions);
    this.known.set(pattern, compiled);
    return compiled;
  }
}

/** At least as many instructions as the pattern compiles to, read off its text; and how many classes of Unicode it names. */
export function sizeOf(source: string): { instructions: number; properties: number } {
  let properties = 0;
  let group = { all: 3, last: 0 };
  const around: (typeof group)[] = [];
  const append = (size: number) => {
    group.all += size;
    group.last = size;
  };
  for (const { groups = {} } of source.matchAll(TOKEN)) {
    const { quoted, nothing, property, members, open, close, least, most, suffix } = groups;
    properties += property === undefined ? (members?.match(/\\[pP]/g)?.length ?? 0) : 1;
    // What matches nothing is no item: what is repeated behind it is what stands before it.
    if (nothing !== undefined || quoted === '') group.all += 1;
    else if (open !== undefined) {
      around.push(group);
      group = { all: 3, last: 0 };
    } else if (close !== undefined) {
      const { all } = group;
      group = around.pop() ?? group;
      append(all);
    } else if (least !== undefined) {
      const copies = Math.max(1, Number(least) + (most === ',' ? 1 : 0), Number(most?.slice(1) ?? 0));
      group.all -= group.last;
      append((group.last + 1) * copies);
    } else if (suffix === undefined) append(quoted === undefined ? 1 : quoted.length);
    else {
      // Two, since what may match nothing is repeated by two instructions.
      group.all += 2;
      group.last = suffix === '|' ? 0 : group.last + 2;
    }
  }
  return { instructions: around.reduce((sum, { all }) => sum + all, group.all), properties };
}

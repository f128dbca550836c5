/** A line of an import as the command that it stands for, or why it is none. */
import type { Command, Direction } from '#client';
import { MAX_LINE_BYTES, type Line } from './lines.js';

export interface LineProblem {
  code: string;
  detail: string;
  [member: string]: unknown;
}

export type Parsed = { command: Command; problem?: undefined } | { command?: undefined; problem: LineProblem };

/** What the lines of one file are, when they do not say for themselves. */
export interface RowDefaults {
  ifBound?: 'refuse' | 'replace';
  ifTaken?: 'refuse' | 'return' | 'takeOver';
  direction?: Direction;
  reason?: string;
}

export interface SourceItem {
  line: number;
  /** Bytes of the input up to its end. */
  end: number;
  parsed: Parsed;
}

/** Members of an exported binding that a bind has no use for. */
const BINDING_MEMBERS = [
  'id',
  'backend',
  'model',
  'localModel',
  'state',
  'version',
  'revision',
  'createdAt',
  'updatedAt',
  'asOf',
];
const ID_MEMBERS = ['recordId', 'externalId', 'bindingId', 'fromRecordId', 'toRecordId'];

export function malformed(detail: string): Parsed {
  return { problem: { code: 'MALFORMED', detail } };
}

export function faultOf({ fault }: Line): Parsed | undefined {
  if (fault === undefined) return undefined;
  if (fault === 'not UTF-8') return malformed('the line is not UTF-8');
  return { problem: { code: 'TOO_LARGE', detail: `a line has at most ${MAX_LINE_BYTES} bytes` } };
}

/** A command with its `op`; or a row, such as an exported binding, which is a bind. */
export function parseJsonLine(line: Line, defaults: RowDefaults): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch {
    return malformed(line.terminated ? 'the line is not JSON' : 'the last line is not complete: the input was cut off');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return malformed('the line is not a JSON object');
  const members = { ...value } as Record<string, unknown>;
  for (const member of ID_MEMBERS) {
    if (typeof members[member] === 'number' && !Number.isSafeInteger(members[member])) {
      return { problem: { code: 'INVALID_ID', detail: `${member}: a number is an id only if it is a safe integer` } };
    }
  }
  return 'op' in members ? { command: members as unknown as Command } : commandOfRow(members, defaults);
}

export function commandOfRow(row: Record<string, unknown>, defaults: RowDefaults): Parsed {
  if (row['state'] === 'unbound') return malformed('a former binding: only live ones can be bound');
  const command: Record<string, unknown> = { op: 'bind', ...defaults, ...row };
  for (const member of BINDING_MEMBERS) delete command[member];
  if (command['externalId'] === null || command['externalId'] === undefined) {
    delete command['externalId'];
    // A pending binding has no date; for one that gets its external id, null says the same.
    if (command['syncDate'] === null) delete command['syncDate'];
  }
  // The ledger checks the rest: it has the last word on every line.
  return { command: command as unknown as Command };
}

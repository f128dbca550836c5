import { START, type Position } from '#event-store';

/** Where an event stands in `$all`, as the client has it. */
export interface LogPosition {
  commit: bigint;
  prepare: bigint;
}

/** Both halves as 64 bits in hexadecimal: of one width, so that positions compare as strings. */
const HALF_DIGITS = 16;
const POSITION_PATTERN = /^[0-9a-f]{32}$/;

export function formatPosition({ commit, prepare }: LogPosition): Position {
  return halfOf(commit) + halfOf(prepare);
}

/** @throws {RangeError} for what this store never gave out. */
export function parsePosition(position: Position): LogPosition | 'start' {
  if (position === START) return 'start';
  if (!POSITION_PATTERN.test(position)) throw new RangeError(`"${position}" is not a position of this store`);
  return {
    commit: BigInt(`0x${position.slice(0, HALF_DIGITS)}`),
    prepare: BigInt(`0x${position.slice(HALF_DIGITS)}`),
  };
}

export function laterOf(one: Position, other: Position): Position {
  return one < other ? other : one;
}

function halfOf(value: bigint): string {
  return value.toString(HALF_DIGITS).padStart(HALF_DIGITS, '0');
}

/** What commands and queries answer: values, refusals among them. */
import { isRefusal } from '#domain';
import type { LocatedAnswer, LocatedRefusal, LocatedResult } from '#ledger';
import type { LocatedBinding } from '#read-model';

/** Of a command that concerns one binding: the binding as it is after it. */
export type BindingAnswer = LocatedAnswer & { binding: LocatedBinding };
export type BindingResult = BindingAnswer | LocatedRefusal;

/** Of a move: all bindings that it concerned; none when the record had none. */
export type MoveAnswer = LocatedAnswer & { bindings: LocatedBinding[] };
export type MoveResult = MoveAnswer | LocatedRefusal;

/** One page of a listing; `nextCursor` is `null` on the last. */
export interface BindingsPage {
  items: LocatedBinding[];
  nextCursor: string | null;
}

export function withBinding(result: LocatedResult): BindingResult {
  if (isRefusal(result)) return result;
  const { binding } = result;
  if (binding === null) throw new Error(`broken invariant: the answer "${result.outcome}" names no binding`);
  return { ...result, binding };
}

export function withBindings(result: LocatedResult): MoveResult {
  return isRefusal(result) ? result : { ...result, bindings: result.bindings ?? [] };
}

/**
 * What becomes of the lines that were sent behind one that was refused for now. They may have been done, and a command that is done
 * after its successors of the same binding says something else than the file: such a line is not done any more.
 */
import type { Binding, Command, CommandResult, Id } from '#client';
import type { LineProblem, SourceItem } from './rows.js';

export const OVERTAKEN: LineProblem = {
  code: 'OVERTAKEN',
  detail: 'it was refused for now, and a later line of the same binding was done, or may have been: look at both',
};

type Fate = 'undone' | 'done' | 'unknown';

/** Lines from the first refusal on, in order. */
export class LinesBehind {
  readonly #lines: { item: SourceItem; fate: Fate; ids: string[] }[] = [];

  add(item: SourceItem, fate: Fate, result?: CommandResult): void {
    const ids = idsOf(item.parsed.command);
    if (result?.error === undefined && result !== undefined)
      for (const binding of [result.binding, ...(result.bindings ?? []), result.displaced]) ids.push(...idsOfBinding(binding));
    this.#lines.push({ item, fate, ids });
  }

  /** The lines that are to be sent another time, and those that are not, since others were ahead of them. */
  settle(): { pending: number[]; overtaken: SourceItem[] } {
    const ahead = new Set<string>();
    const pending: number[] = [];
    const overtaken: SourceItem[] = [];
    for (const { item, fate, ids } of this.#lines.toReversed()) {
      if (fate === 'undone' && ids.some((id) => ahead.has(id))) overtaken.push(item);
      else if (fate !== 'done') pending.push(item.line);
      if (fate !== 'undone') for (const id of ids) ahead.add(id);
    }
    return { pending: pending.toReversed(), overtaken: overtaken.toReversed() };
  }
}

function idsOf(command: Command | undefined): string[] {
  if (command === undefined) return [];
  const named: { recordId?: Id; externalId?: Id; bindingId?: Id; fromRecordId?: Id; toRecordId?: Id } = command;
  const { recordId, fromRecordId, toRecordId, externalId, bindingId } = named;
  return [
    ...[recordId, fromRecordId, toRecordId].flatMap((id) => (id === undefined ? [] : [`record ${id}`])),
    ...(externalId === undefined ? [] : [`external ${externalId}`]),
    ...(bindingId === undefined ? [] : [`binding ${bindingId}`]),
  ];
}

function idsOfBinding(binding: Binding | null | undefined): string[] {
  if (binding === null || binding === undefined) return [];
  const { id, recordId, externalId } = binding;
  return [`binding ${id}`, `record ${recordId}`, ...(externalId === null ? [] : [`external ${externalId}`])];
}

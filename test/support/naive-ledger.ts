/**
 * The rules of a ledger told once more, as plainly as they can be: rows in a list that is searched from end to end, and
 * changed in place. It shares nothing with the domain but the shape of commands, so that both are wrong together only if
 * both misread the rules.
 */
import type { Bind, Command, JsonObject, JsonValue, Move, Sync, Target, Unbind } from '#domain';

export interface Row {
  id: string;
  record: string;
  external: string | null;
  date: string | null;
  data: JsonObject;
  version: number;
  gone: boolean;
}

/** What a command comes to: an outcome or the code of a refusal, and the ids of the bindings that are named in it. */
export interface Verdict {
  says: string;
  names: string[];
  displaced?: string;
}

const MOST_OF_A_RECORD = 100;
const MOST_AHEAD_MS = 5 * 60_000;
const DATES_APART = (a: string, b: string) => new Date(a).getTime() - new Date(b).getTime();

export class NaiveLedger {
  readonly rows: Row[] = [];
  paused = false;
  closed = false;

  constructor(
    private readonly many: boolean,
    private readonly admits: (data: JsonObject) => boolean,
  ) {}

  tell(command: Command, now: string): Verdict {
    if (this.closed) return no('LEDGER_CLOSED');
    if (this.paused) return no('BACKEND_PAUSED');
    switch (command.op) {
      case 'bind':
        return this.bind(command, now);
      case 'sync':
        return this.withOne(command, (row) => this.notMeant([row], command) ?? this.sync(row, command, now));
      case 'changeData':
        return this.withOne(command, (row) => this.notMeant([row], command) ?? this.merge(row, command.data));
      case 'unbind':
        return this.unbind(command);
      case 'move':
        return this.move(command);
    }
  }

  private bind(command: Bind, now: string): Verdict {
    const { bindingId, externalId } = command;
    if (bindingId !== undefined) {
      const row = this.rows.find(({ id }) => id === bindingId);
      if (row === undefined) return no('BINDING_NOT_FOUND');
      if (row.gone) return no('NOT_BOUND');
      const wrong = this.notMeant([row], command);
      if (wrong !== undefined) return wrong;
      return externalId === undefined ? yes('unchanged', row) : this.give(row.record, [row], externalId, command, now);
    }
    const record = command.recordId as string;
    const rows = this.ofRecord(record);
    if (externalId !== undefined) return this.give(record, rows, externalId, command, now);
    if (rows.length > 1) return no('AMBIGUOUS_RECORD', ...rows);
    const [row] = rows;
    if (row !== undefined) return this.notMeant([row], command) ?? yes('unchanged', row);
    return this.add(record, null, command.syncDate ?? null, command, now);
  }

  /** `rows`: all those of the record, or the one that was named by its id. */
  private give(record: string, rows: Row[], external: string, command: Bind, now: string): Verdict {
    const has = this.rows.find((row) => !row.gone && row.external === external);
    if (has !== undefined && rows.includes(has)) {
      const wrong = this.notMeant([has], command);
      if (wrong !== undefined) return wrong;
      return command.syncDate === null
        ? this.merge(has, command.data ?? {})
        : this.sync(has, { syncDate: command.syncDate, data: command.data }, now);
    }
    if (has !== undefined && command.ifTaken === 'return') return yes('taken', has);
    if (has !== undefined && command.ifTaken !== 'takeOver') return no('EXTERNAL_ID_TAKEN', has);

    const chosen = command.bindingId === undefined ? this.choose(rows, command) : rows[0];
    if (chosen !== undefined && 'says' in chosen) return chosen;
    const verdict =
      chosen === undefined
        ? this.add(record, external, command.syncDate === undefined ? now : command.syncDate, command, now)
        : this.rebind(chosen, external, command, now);
    if (has === undefined || !['created', 'assigned', 'replaced'].includes(verdict.says)) return verdict;
    has.gone = true;
    has.version += 1;
    return { ...verdict, displaced: has.id };
  }

  /** Which of a record's rows an external id is for, if it is not for a new one. */
  private choose(rows: Row[], command: Bind): Row | Verdict | undefined {
    const waiting = rows.filter((row) => row.external === null);
    if (waiting.length > 0) return waiting.length === 1 ? waiting[0] : no('AMBIGUOUS_RECORD', ...waiting);
    if (this.many && command.ifBound !== 'replace') return rows.length < MOST_OF_A_RECORD ? undefined : no('TOO_MANY_BINDINGS');
    return rows.length > 1 ? no('AMBIGUOUS_RECORD', ...rows) : rows[0];
  }

  private rebind(row: Row, external: string, command: Bind, now: string): Verdict {
    const wrong = this.notMeant([row], command);
    if (wrong !== undefined) return wrong;
    const says = row.external === null ? 'assigned' : 'replaced';
    if (says === 'replaced' && command.ifBound !== 'replace') return no('RECORD_ALREADY_BOUND', row);
    const date = command.syncDate === undefined ? now : command.syncDate;
    if (date !== null && DATES_APART(date, now) > MOST_AHEAD_MS) return no('INVALID_SYNC_DATE');
    const data = command.data === undefined ? row.data : patched(row.data, command.data);
    if (!same(data, row.data) && !this.admits(data)) return no('INVALID_DATA');
    if (date !== null && (row.date === null || DATES_APART(date, row.date) > 0)) row.date = date;
    row.data = data;
    row.external = external;
    row.version += 1;
    return yes(says, row);
  }

  private add(record: string, external: string | null, date: string | null, command: Bind, now: string): Verdict {
    if (command.expectedVersion !== undefined || command.ifBinding !== undefined) return no('VERSION_MISMATCH');
    if (date !== null && DATES_APART(date, now) > MOST_AHEAD_MS) return no('INVALID_SYNC_DATE');
    const data = patched({}, command.data ?? {});
    if (!this.admits(data)) return no('INVALID_DATA');
    const row: Row = { id: bindingIdOf(this.rows.length + 1), record, external, date, data, version: 1, gone: false };
    this.rows.push(row);
    return yes('created', row);
  }

  private sync(
    row: Row,
    { syncDate, data = {}, force = false }: Pick<Sync, 'syncDate' | 'data' | 'force'>,
    now: string,
  ): Verdict {
    const date = syncDate ?? now;
    if (DATES_APART(date, now) > MOST_AHEAD_MS) return no('INVALID_SYNC_DATE');
    const isNewer = row.date === null || DATES_APART(date, row.date) > 0;
    // Too late: somebody knows better already. What has no date of its own cannot be late.
    if (!isNewer && syncDate !== undefined && !force) return yes('unchanged', row);
    if (!isNewer && (!force || date === row.date)) return this.merge(row, data);
    const merged = patched(row.data, data);
    if (!same(merged, row.data) && !this.admits(merged)) return no('INVALID_DATA');
    Object.assign(row, { date, data: merged, version: row.version + 1 });
    return yes('synced', row);
  }

  private merge(row: Row, patch: JsonObject): Verdict {
    const merged = patched(row.data, patch);
    if (same(merged, row.data)) return yes('unchanged', row);
    if (!this.admits(merged)) return no('INVALID_DATA');
    Object.assign(row, { data: merged, version: row.version + 1 });
    return yes('changed', row);
  }

  private unbind(command: Unbind): Verdict {
    const rows = this.rows.filter((row) => !row.gone && isNamed(row, command));
    if (rows.length === 0) return yes('unchanged');
    if (rows.length > 1 && command.all !== true) return no('AMBIGUOUS_RECORD', ...rows);
    const wrong = this.notMeant(rows, command);
    if (wrong !== undefined) return wrong;
    for (const row of rows) Object.assign(row, { gone: true, version: row.version + 1 });
    return yes('unbound', ...rows);
  }

  private move(command: Move): Verdict {
    const { fromRecordId, bindingId, toRecordId } = command;
    const named = bindingId === undefined ? undefined : this.rows.find(({ id }) => id === bindingId);
    if (bindingId !== undefined && named === undefined) return no('BINDING_NOT_FOUND');
    if (named?.gone === true) return no('NOT_BOUND');
    const rows = named === undefined ? this.ofRecord(fromRecordId as string) : [named];
    const wrong = this.notMeant(rows, command);
    if (wrong !== undefined) return wrong;
    if (rows.every((row) => row.record === toRecordId)) return yes('unchanged', ...rows);
    const there = this.ofRecord(toRecordId);
    if (!this.many && there[0] !== undefined) return no('RECORD_ALREADY_BOUND', there[0]);
    if (there.length + rows.length > MOST_OF_A_RECORD) return no('TOO_MANY_BINDINGS');
    for (const row of rows) Object.assign(row, { record: toRecordId, version: row.version + 1 });
    return yes('moved', ...rows);
  }

  private withOne(target: Target, then: (row: Row) => Verdict): Verdict {
    const { bindingId } = target;
    if (bindingId !== undefined && !this.rows.some(({ id }) => id === bindingId)) return no('BINDING_NOT_FOUND');
    const rows = this.rows.filter((row) => !row.gone && isNamed(row, target));
    if (rows.length > 1) return no('AMBIGUOUS_RECORD', ...rows);
    return rows[0] === undefined ? no('NOT_BOUND') : then(rows[0]);
  }

  private ofRecord(record: string): Row[] {
    return this.rows.filter((row) => !row.gone && row.record === record);
  }

  private notMeant(rows: Row[], { ifBinding, expectedVersion }: Command): Verdict | undefined {
    const meant = rows.every((row) => row.id === (ifBinding ?? row.id) && row.version === (expectedVersion ?? row.version));
    return meant ? undefined : no('VERSION_MISMATCH');
  }
}

function isNamed(row: Row, { recordId, externalId, bindingId }: Target): boolean {
  return (
    row.record === (recordId ?? row.record) && row.external === (externalId ?? row.external) && row.id === (bindingId ?? row.id)
  );
}

function yes(says: string, ...rows: Row[]): Verdict {
  return { says, names: rows.map(({ id }) => id) };
}

function no(says: string, ...rows: Row[]): Verdict {
  return yes(says, ...rows);
}

function isMap(value: JsonValue | undefined): value is JsonObject {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** RFC 7396, by way of its own pseudo code. */
function patched(target: JsonValue | undefined, patch: JsonObject): JsonObject {
  const result = new Map(isMap(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, isMap(value) ? patched(result.get(name), value) : value);
  }
  return Object.fromEntries(result);
}

function same(a: JsonObject, b: JsonObject): boolean {
  const inOrder = (_: string, value: JsonValue) =>
    isMap(value) ? Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)) : value;
  return JSON.stringify(a, inOrder) === JSON.stringify(b, inOrder);
}

/** Ids that sort as they were made, as those of the ledger do: b1 to b9, then c10, d100, e1000. */
export function bindingIdOf(number: number): string {
  const digits = String(number);
  return `${' bcde'[digits.length]}${digits}`;
}

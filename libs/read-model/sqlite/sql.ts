/** An SQL text with the type of the rows that it answers. */
export interface Sql<Row extends unknown[]> {
  text: string;
  /** Only a type: nothing is ever there. */
  row?: Row;
}

/** A list of values, as JSON. */
export const ONE_OF = 'IN (SELECT k.value FROM json_each(?) k)';

export function sql<Row extends unknown[] = []>(text: string): Sql<Row> {
  return { text };
}

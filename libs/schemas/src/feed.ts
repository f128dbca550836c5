/** What the events of all ledgers are asked for by. Filters may come several times, everything else once. */
import { z } from 'zod';
import { BINDING_EVENT_TYPES, REMOVAL_CAUSES, parseName, type Refusal } from '#domain';
import { eventAnswer } from './answers.js';
import { refusalOfIssues } from './problems.js';
import { limitQuery, waitQuery } from './queries.js';
import { directionSchema, idTextSchema } from './values.js';

/** Values of one filter. */
export const MAX_FILTER_VALUES = 100;
const MAX_TEXT_LENGTH = 200;
const MAX_POSITION_LENGTH = 200;

const name = z.string().refine((text) => parseName(text).problem === undefined, 'is not a name');
const text = z.string().min(1).max(MAX_TEXT_LENGTH);
const several = <T extends z.ZodType>(value: T, description: string) =>
  z
    .array(value)
    .min(1)
    .max(MAX_FILTER_VALUES)
    .meta({ description: `${description} May come several times.` })
    .optional();

const filters = {
  backend: several(name, 'Only of these backends.'),
  model: several(name, 'Only of these models.'),
  type: several(z.enum(BINDING_EVENT_TYPES), 'Only events of these types.'),
  recordId: several(idTextSchema, 'Only of these records; a move is of both of its records.'),
  cause: several(z.enum(REMOVAL_CAUSES), 'Only removals with these causes.'),
  direction: several(directionSchema, 'Only of commands with these directions.'),
  actor: several(text, 'Only of these actors.'),
  correlationId: several(text, 'Only with these correlation ids.'),
};
const FILTERS = Object.keys(filters) as (keyof typeof filters)[];

export const feedQuery = z.strictObject({
  ...filters,
  after: z
    .string()
    .min(1)
    .max(MAX_POSITION_LENGTH)
    .meta({
      description:
        'The position after which it begins: that of an event, `nextPosition`, `headPosition`, or `start`. Without it: what is recorded from now on.',
    })
    .optional(),
  limit: limitQuery.optional(),
  wait: waitQuery.optional(),
});
export type FeedQuery = z.output<typeof feedQuery>;

export function parseFeedQuery(query: Record<string, unknown>): FeedQuery | Refusal {
  const listed: Record<string, unknown> = { ...query };
  for (const filter of FILTERS) if (filter in listed) listed[filter] = flattened(listed[filter]);
  const parsed = feedQuery.safeParse(listed);
  return parsed.success ? parsed.data : refusalOfIssues(parsed.error.issues, 'the query');
}

/** A parameter that came several times is a pair of what came before and the last one. */
function flattened(value: unknown): unknown[] {
  const values: unknown[] = [];
  let rest = value;
  while (Array.isArray(rest)) {
    values.push(rest[1]);
    rest = rest[0] as unknown;
  }
  return [...values, rest].reverse();
}

/** The filter without what is not asked for. */
export function filterOf(query: FeedQuery): Pick<FeedQuery, (typeof FILTERS)[number]> {
  return Object.fromEntries(FILTERS.filter((filter) => query[filter] !== undefined).map((filter) => [filter, query[filter]]));
}

export const feedPage = z
  .object({
    items: z.array(eventAnswer),
    nextPosition: z.string().meta({ description: 'The `after` of the next page; it moves on although nothing fitted.' }),
    caughtUp: z.boolean().meta({ description: 'Nothing was behind this page when it was read.' }),
  })
  .meta({ id: 'FeedPage' });

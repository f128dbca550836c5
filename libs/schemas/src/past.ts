/** What was: histories, and answers as of an instant or a revision. */
import { z } from 'zod';
import { bindingAnswer, bindingList, eventAnswer } from './answers.js';
import { acrossQuery, pageQuery, readQuery, recordBindingsQuery } from './queries.js';
import { asOfSchema } from './values.js';

export const lookupQuery = readQuery.extend({ asOf: asOfSchema.optional() });
export const pastPageQuery = pageQuery.extend(readQuery.shape);
export const recordHistoryQuery = pageQuery.extend(acrossQuery.shape);
export const pastRecordQuery = recordBindingsQuery.extend({ asOf: asOfSchema.optional() });

const momentAnswer = z
  .object({ revision: z.int().meta({ description: '-1 before the first event.' }), at: z.string().nullable() })
  .meta({ id: 'Moment', description: 'The revision that was used, and when its event was recorded.' });

/** A lookup: with `asOf`, what was, and the revision that was used. */
export const lookedUpAnswer = bindingAnswer.extend({ asOf: momentAnswer.optional() }).meta({ id: 'LookedUpBinding' });

export const recordBindingsAnswer = bindingList
  .extend({
    asOf: z
      .object({ at: z.string(), revisions: z.record(z.string(), z.int()) })
      .optional()
      .meta({ description: 'The instant that was asked for, and the revision that was used of each ledger.' }),
  })
  .meta({ id: 'RecordBindings' });

export const historyPage = z
  .object({
    items: z.array(
      eventAnswer
        .extend({
          previousSyncDate: z.string().nullable().optional(),
          previousData: z.record(z.string(), z.unknown()).optional(),
        })
        .meta({ id: 'HistoryEvent', description: 'An event with the sync date and the data that it replaced.' }),
    ),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'HistoryEventPage' });

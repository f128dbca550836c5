/** Rebuilding a ledger's documents. */
import { z } from 'zod';

/** A call without a body rebuilds. */
export const rebuildBody = z
  .strictObject({
    dryRun: z.boolean().optional().meta({ description: 'Only say what differs from the events; nothing is changed.' }),
  })
  .optional();

const rebuilt = z
  .object({
    ledger: z.string(),
    revision: z.int().meta({ description: 'Up to which the events were applied.' }),
    generation: z.string().meta({ description: 'Names the documents that answer now.' }),
  })
  .meta({ id: 'Rebuilt' });

const differences = z
  .object({
    ok: z.boolean(),
    ledger: z.string(),
    revision: z.int(),
    compared: z.int(),
    differing: z.int(),
    differences: z
      .array(
        z.object({
          bindingId: z.string().nullable(),
          field: z.string(),
          readModel: z.string().nullable(),
          events: z.string().nullable(),
        }),
      )
      .meta({ description: 'The first hundred, with what each side says, as JSON. Without a binding: of the ledger itself.' }),
  })
  .meta({ id: 'Differences' });

export const rebuildAnswer = z.union([rebuilt, differences]);

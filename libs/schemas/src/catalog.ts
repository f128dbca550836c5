/** Backend types, models and backends on the wire. What their values may be is the domain's to say; here are their shapes. */
import { z } from 'zod';
import { idSchema, jsonObjectSchema } from './values.js';

const text = z.string();
/** Absent or `null`, as it is answered, for none: so what was answered can be put back. */
const schemaOrNone = (description: string) => jsonObjectSchema.nullable().optional().meta({ description });

export const backendTypeBody = z
  .strictObject({
    label: text.optional(),
    versions: z.array(z.strictObject({ value: text, label: text })).optional(),
    settingsSchema: schemaOrNone(
      'JSON Schema of the settings of backends of this type; members with `x-secret: true` are kept like the password. `null`: none.',
    ),
  })
  .meta({ id: 'BackendTypeRequest' });

export const modelBody = z
  .strictObject({
    backendType: text,
    localModel: text.nullable(),
    dataSchema: schemaOrNone(
      "JSON Schema of the bindings' data. `null`: none. Data that would be too costly to check against it is refused.",
    ),
    cardinality: z.enum(['one', 'many']).optional(),
    indexes: z.array(text).optional().meta({ description: 'Members of `data` that can be filtered on, at most 5.' }),
  })
  .meta({ id: 'ModelRequest' });

const backendFields = {
  name: text.optional(),
  location: text.meta({ format: 'uri', description: 'URL, without user and password.' }),
  version: text.nullable().optional(),
  username: text.nullable().optional(),
  password: text.nullable().optional().meta({ format: 'password', writeOnly: true }),
  settings: jsonObjectSchema.optional(),
};
export const backendBody = z.strictObject({ id: text, type: text, ...backendFields }).meta({ id: 'BackendRequest' });
export const backendChangeBody = z
  .strictObject({ ...backendFields, location: backendFields.location.optional() })
  .meta({ id: 'BackendChange' });

const ids = z.array(idSchema);
export const lookupBody = z
  .strictObject({ externalIds: ids.optional(), recordIds: ids.optional() })
  .refine(
    ({ externalIds, recordIds }) => (externalIds === undefined) !== (recordIds === undefined),
    'names either externalIds or recordIds',
  )
  .meta({ id: 'LookupRequest' });
export const backendLookupBody = z
  .record(z.string(), z.strictObject({ externalIds: ids.optional(), recordIds: ids.optional() }))
  .meta({ id: 'BackendLookupRequest', description: 'By model.' });

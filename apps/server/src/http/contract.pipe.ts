import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { refusalOfIssues } from '#schemas';
import { RefusedError } from './problem.js';

const WHAT: Partial<Record<ArgumentMetadata['type'], string>> = { body: 'the body', query: 'the query', param: 'the path' };

/** Admits bodies, queries and path parameters by the schemas that stand at the controllers' parameters, the same that describe them. */
export class ContractPipe implements PipeTransform {
  transform(value: unknown, { schema, type, data }: ArgumentMetadata & { schema?: unknown }): unknown {
    if (!(schema instanceof z.ZodType)) return value;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const { issues } = parsed.error;
    const named = data === undefined ? issues : issues.map((issue) => ({ ...issue, path: [data, ...issue.path] }));
    throw new RefusedError(refusalOfIssues(named, WHAT[type]));
  }
}

/** What controllers take from a request besides bodies, queries and ids. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { parseName, type CommandOptions, type LedgerName, type RequestContext } from '#domain';
import type { Freshness } from '#ledger';
import { reasonQuery, refusalOfIssues, unbindQuery, writeQuery } from '#schemas';
import { contextOf, headerText } from './caller.js';
import { RefusedError, refusedError } from './problem.js';

/** A command of a ledger, but for what it does. */
export interface WriteCall {
  ledger: LedgerName;
  options: CommandOptions;
  context: RequestContext;
}
export type UnbindCall = WriteCall & { options: z.output<typeof unbindQuery> };
/** A change of something that is not of one ledger. */
export interface ChangeCall {
  options: { key?: string; reason?: string };
  context: RequestContext;
}
type Preconditions = Pick<CommandOptions, 'key' | 'expectedVersion'>;

/** The ledger that the path names. A name that none can have is refused like one that none has. */
export const TheLedger = createParamDecorator((_: unknown, context: ExecutionContext): LedgerName =>
  ledgerOf(requestOf(context)),
);
export const TheContext = createParamDecorator((_: unknown, context: ExecutionContext): RequestContext =>
  contextOf(requestOf(context)),
);
export const TheWrite = createParamDecorator((_: unknown, context: ExecutionContext): WriteCall =>
  callOf(requestOf(context), writeQuery),
);
export const TheUnbind = createParamDecorator((_: unknown, context: ExecutionContext): UnbindCall =>
  callOf(requestOf(context), unbindQuery),
);

export const TheChange = createParamDecorator((_: unknown, context: ExecutionContext): ChangeCall =>
  changeOf(requestOf(context)),
);

function changeOf(request: FastifyRequest): ChangeCall {
  const { expectedVersion, ...options } = preconditionsOf(request);
  if (expectedVersion !== undefined) throw refusedError('MALFORMED', 'If-Match is for a call that concerns one binding');
  return { options: { ...queryOf(request, reasonQuery), ...options }, context: contextOf(request) };
}

function callOf<T extends object>(request: FastifyRequest, schema: z.ZodType<T>): WriteCall & { options: T & Preconditions } {
  const query = queryOf(request, schema);
  return { ledger: ledgerOf(request), options: { ...query, ...preconditionsOf(request) }, context: contextOf(request) };
}

export function queryOf<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(request.query);
  if (parsed.success) return parsed.data;
  throw new RefusedError(refusalOfIssues(parsed.error.issues, 'the query'));
}

export function ledgerOf(request: FastifyRequest): LedgerName {
  const { backend = '', model = '' } = request.params as { backend?: string; model?: string };
  if (parseName(backend).problem !== undefined)
    throw refusedError('BACKEND_NOT_FOUND', `there is no backend ${JSON.stringify(backend)}`);
  if (parseName(model).problem !== undefined) throw refusedError('MODEL_NOT_FOUND', `there is no model ${JSON.stringify(model)}`);
  return { backend, model };
}

function preconditionsOf(request: FastifyRequest): Preconditions {
  const preconditions: Preconditions = {};
  const key = headerText(request, 'idempotency-key');
  if (key !== undefined) preconditions.key = key;
  const match = request.headers['if-match'];
  if (match === undefined) return preconditions;
  const [, version] = /^"(\d{1,15})"$/.exec(match) ?? [];
  if (version === undefined)
    throw refusedError('MALFORMED', 'If-Match is the version of a binding in quotation marks, such as "3"');
  return { ...preconditions, expectedVersion: Number(version) };
}

export function freshnessOf({ atLeast, timeout }: { atLeast?: number | 'head'; timeout?: number }): Freshness {
  const freshness: Freshness = {};
  if (atLeast !== undefined) freshness.atLeast = atLeast;
  if (timeout !== undefined) freshness.timeoutMs = timeout;
  return freshness;
}

function requestOf(context: ExecutionContext): FastifyRequest {
  return context.switchToHttp().getRequest<FastifyRequest>();
}

/** What the API's own description says of its routes: which there are, and which of them take no query, or no body. */
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Problem } from '#domain';
import { refusedError } from './problem.js';

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;
/** Fields of a body, or parameters, that are named when they are refused; and so much of each name. */
const MAX_NAMED = 20;
const MAX_NAME_LENGTH = 100;

interface KnownRoute {
  segments: string[];
  /** In capitals. */
  methods: string[];
}

export class KnownRoutes {
  private routes: KnownRoute[] = [];
  private readonly withoutQuery = new Set<string>();
  private readonly withoutBody = new Set<string>();

  /** To be called before a request comes. */
  learn({ paths }: OpenAPIObject): void {
    this.routes = Object.entries(paths).map(([path, operations]) => {
      const methods = METHODS.filter((method) => operations[method] !== undefined);
      for (const method of methods) {
        const parameters = operations[method]?.parameters ?? [];
        const taken = parameters.some((parameter) => 'in' in parameter && parameter.in === 'query');
        const key = routeKey(method, path.replaceAll('{', ':').replaceAll('}', ''));
        if (!taken) this.withoutQuery.add(key);
        if (operations[method]?.requestBody === undefined) this.withoutBody.add(key);
      }
      return { segments: path.split('/'), methods: methods.map((method) => method.toUpperCase()) };
    });
  }

  /**
   * Where parameters or a body are taken, their schemas refuse what is not known. Where none is taken, nobody would look at them, and a
   * guard that is sent there would be passed over.
   */
  refuseWhatIsNotTaken(fastify: FastifyInstance): void {
    fastify.addHook('preValidation', (request, _reply, done) => {
      const ofQuery = request.url.includes('?') ? this.problemOfQuery(request) : undefined;
      done(ofQuery ?? (request.body === undefined ? undefined : this.problemOfBody(request)));
    });
  }

  /** The methods that there are for a path. */
  methodsOf(url: string): string[] {
    const given = url.split('?', 1)[0]?.split('/') ?? [];
    const matching = this.routes.filter(
      ({ segments }) =>
        segments.length === given.length &&
        segments.every((segment, index) => segment === given[index] || (segment.startsWith('{') && given[index] !== '')),
    );
    return [...new Set(matching.flatMap(({ methods }) => methods))];
  }

  private problemOfQuery(request: FastifyRequest): Error | undefined {
    const names = Object.keys(request.query as object);
    if (names.length === 0 || !this.withoutQuery.has(keyOf(request))) return undefined;
    return refusedError('MALFORMED', 'the query is not well formed: this call takes no parameters', {
      errors: notKnown(names, 'is not known'),
    });
  }

  /** An empty object says nothing, so it may stand for no body. */
  private problemOfBody(request: FastifyRequest): Error | undefined {
    if (!this.withoutBody.has(keyOf(request))) return undefined;
    const { body } = request;
    const names = typeof body === 'object' && body !== null && !Array.isArray(body) ? Object.keys(body) : undefined;
    if (names?.length === 0) return undefined;
    const errors = names === undefined ? [{ path: '', message: 'there is no body' }] : notKnown(names, 'there is no such field');
    return refusedError('MALFORMED', 'the body is not well formed: this call takes none', { errors });
  }
}

function notKnown(names: readonly string[], message: string): Problem[] {
  return names.slice(0, MAX_NAMED).map((name) => ({ path: `/${name.slice(0, MAX_NAME_LENGTH)}`, message }));
}

function keyOf({ method, routeOptions }: FastifyRequest): string {
  return routeKey(method === 'HEAD' ? 'GET' : method, routeOptions.url ?? '');
}

function routeKey(method: string, url: string): string {
  return `${method.toUpperCase()} ${url}`;
}

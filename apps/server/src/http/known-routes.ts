/** What the API's own description says of its routes: which there are, and which of them take no parameters in their query. */
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refusedError } from './problem.js';

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;

interface KnownRoute {
  segments: string[];
  /** In capitals. */
  methods: string[];
}

export class KnownRoutes {
  private routes: KnownRoute[] = [];
  private readonly withoutQuery = new Set<string>();

  /** To be called before a request comes. */
  learn({ paths }: OpenAPIObject): void {
    this.routes = Object.entries(paths).map(([path, operations]) => {
      const methods = METHODS.filter((method) => operations[method] !== undefined);
      for (const method of methods) {
        const parameters = operations[method]?.parameters ?? [];
        const taken = parameters.some((parameter) => 'in' in parameter && parameter.in === 'query');
        if (!taken) this.withoutQuery.add(routeKey(method, path.replaceAll('{', ':').replaceAll('}', '')));
      }
      return { segments: path.split('/'), methods: methods.map((method) => method.toUpperCase()) };
    });
  }

  /** Where parameters are taken, the schema of the query refuses those that are not known. */
  refuseQueries(fastify: FastifyInstance): void {
    fastify.addHook('preValidation', (request, _reply, done) => {
      done(request.url.includes('?') ? this.problemOfQuery(request) : undefined);
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

  private problemOfQuery({ method, routeOptions, query }: FastifyRequest): Error | undefined {
    const names = Object.keys(query as object);
    const key = routeKey(method === 'HEAD' ? 'GET' : method, routeOptions.url ?? '');
    if (names.length === 0 || !this.withoutQuery.has(key)) return undefined;
    return refusedError('MALFORMED', 'the query is not well formed: this call takes no parameters', {
      errors: names.map((name) => ({ path: `/${name.slice(0, 100)}`, message: 'is not known' })),
    });
  }
}

function routeKey(method: string, url: string): string {
  return `${method.toUpperCase()} ${url}`;
}

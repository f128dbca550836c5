/** Puts the server together: Fastify, Nest, and a ledger opened for it. */
import { lookup } from 'node:dns/promises';
import 'reflect-metadata';
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import helmet from '@fastify/helmet';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { LogController, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { MAX_ID_BYTES } from '#domain';
import { OPENED_LEDGER } from '#nest';
import type { LedgerConfig, OpenedLedger } from '#runtime';
import { DEFAULT_STALL_MS } from './bulk/answer-writer.js';
import { HEARTBEAT_MS, MAX_FEED_READERS } from './feed/feed-readers.js';
import { MAX_BODY_BYTES, registerBodyParsers } from './http/body-parsers.js';
import { correlationIdOf } from './http/caller.js';
import { Connections } from './http/connections.js';
import { ContractPipe } from './http/contract.pipe.js';
import { refuseUnservedHeaders, serveExpectations } from './http/header-checks.js';
import { registerHooks } from './http/hooks.js';
import { KnownRoutes } from './http/known-routes.js';
import { serveLookups } from './http/lookup-routes.js';
import { ProblemFilter, problemOfError, sendProblem } from './http/problem-filter.js';
import { parseQueryString } from './http/query-string.js';
import { refuseTunnel, refuseUnreadable } from './http/unreadable-requests.js';
import { NestLogger } from './logging.js';
import { Metrics } from './metrics.js';
import { createDocument } from './openapi/document.js';
import { commandsOnOneLine } from './openapi/examples.js';
import { ServerModule } from './server.module.js';

/** A connection on which nothing happens for so long is closed. */
const IDLE_CONNECTION_MS = 300_000;
/** What is not answered so long after a shutdown began is broken off: well before Docker, by default, kills what does not stop. */
const SHUTDOWN_MS = 5_000;

/** For the pages of the documentation. Whether there is TLS is for whoever puts a proxy in front to say. */
const HELMET = {
  global: false,
  strictTransportSecurity: false,
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
};

export interface ServerOptions {
  ledger: LedgerConfig;
  logger: Logger;
  /** A reader of a long answer that takes nothing for so long is cut off. */
  stallMs?: number;
  /** How many may read the events of all ledgers at once, and how often they hear that nothing happened. */
  maxFeedReaders?: number;
  heartbeatMs?: number;
  /** Measures Node itself too: once a process. */
  measureProcess?: boolean;
}

export interface LedgerServer {
  app: NestFastifyApplication;
  document: OpenAPIObject;
  /** Answers its address. */
  listen(port: number, host: string): Promise<string>;
  /** Stops accepting, finishes the commands that were accepted, then closes the ledger. */
  close(): Promise<void>;
}

/** @throws what kept the ledger from being opened. */
export async function createServer({
  ledger,
  logger,
  stallMs = DEFAULT_STALL_MS,
  maxFeedReaders = MAX_FEED_READERS,
  heartbeatMs = HEARTBEAT_MS,
  measureProcess = false,
}: ServerOptions): Promise<LedgerServer> {
  const metrics = new Metrics();
  if (measureProcess) metrics.ofProcess();
  const closing = new AbortController();
  // Every long answer listens.
  setMaxListeners(0, closing.signal);
  const module = ServerModule.of(
    ledger,
    metrics,
    { stallMs, closing: closing.signal },
    { maxReaders: maxFeedReaders, heartbeatMs },
  );
  const connections = new Connections();
  const app = await NestFactory.create<NestFastifyApplication>(module, adapterWith(logger, connections), {
    logger: new NestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  await prepare(fastify, metrics, connections);
  const document = await serve(app, fastify);
  return {
    app,
    document,
    // Not by way of Nest, which logs an address that cannot be used before it throws.
    listen: async (port, host) => fastify.listen({ port, host: await addressOf(host) }),
    close: () => shutDown({ app, fastify, connections, closing }),
  };
}

/** One address. For "localhost" Fastify would listen on all that it has, and know the connections of the first alone. */
async function addressOf(host: string): Promise<string> {
  return host === 'localhost' ? (await lookup(host, { verbatim: false })).address : host;
}

/** The routes of the API, and their description, which also says what each takes. */
async function serve(app: NestFastifyApplication, fastify: FastifyInstance): Promise<OpenAPIObject> {
  const routes = new KnownRoutes();
  routes.refuseWhatIsNotTaken(fastify);
  serveLookups(fastify, app.get<OpenedLedger>(OPENED_LEDGER));
  app.useGlobalPipes(new ContractPipe());
  app.useGlobalFilters(new ProblemFilter(routes));
  const document = createDocument(app);
  routes.learn(document);
  serveDocumentation(app, fastify, document);
  await app.init();
  await fastify.ready();
  return document;
}

function serveDocumentation(app: NestFastifyApplication, fastify: FastifyInstance, document: OpenAPIObject): void {
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    swaggerOptions: { requestInterceptor: commandsOnOneLine },
  });
  // The address that the server says at its start is the one that people open first; a proxy may have put it below a path.
  fastify.get('/', (_request, reply) => reply.redirect('docs'));
}

/** What holds for every request, whatever its route. */
async function prepare(fastify: FastifyInstance, metrics: Metrics, connections: Connections): Promise<void> {
  connections.watch(fastify.server);
  fastify.server.on('connect', (_request, socket) => refuseTunnel(socket as Socket, connections));
  serveExpectations(fastify.server);
  registerBodyParsers(fastify);
  await fastify.register(helmet, HELMET);
  registerHooks(fastify, metrics);
  refuseUnservedHeaders(fastify);
}

interface ShutDownParts {
  app: NestFastifyApplication;
  fastify: FastifyInstance;
  connections: Connections;
  closing: AbortController;
}

function adapterWith(logger: Logger, connections: Connections): FastifyAdapter {
  return new FastifyAdapter({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'correlationId' }),
    genReqId: correlationIdOf,
    bodyLimit: MAX_BODY_BYTES,
    connectionTimeout: IDLE_CONNECTION_MS,
    routerOptions: { maxParamLength: MAX_ID_BYTES * 3, querystringParser: parseQueryString },
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply, problemOfError(error, request)),
    clientErrorHandler: (error, socket) => {
      logger.debug({ code: error.code }, 'a request could not be read');
      refuseUnreadable(error, socket, connections);
    },
    // A request without it is refused as a problem, in a hook: Node's own refusal has no body.
    http: { requireHostHeader: false },
    // What came before the end of a connection is answered: the ledger is closed only when all is.
    return503OnClosing: false,
  });
}

async function shutDown({ app, fastify, connections, closing }: ShutDownParts): Promise<void> {
  closing.abort();
  app.get<OpenedLedger>(OPENED_LEDGER).progress.close();
  connections.end();
  const forced = setTimeout(() => fastify.server.closeAllConnections(), SHUTDOWN_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(forced);
  }
}

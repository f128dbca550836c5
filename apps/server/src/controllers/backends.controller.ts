import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { BackendHistoryEvent, BackendView, Credentials } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import {
  backendAnswer,
  backendBody,
  backendChangeBody,
  backendEventPage,
  backendPage,
  credentialsAnswer,
  DEFAULT_PAGE,
  historyQuery,
  pageQuery,
} from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { sendPages, wantsLines } from '../bulk/lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { TheChange, type ChangeCall } from '../http/parameters.js';
import { orThrow } from '../http/problem.js';
import { Read, RecordedRead, Write } from '../openapi/endpoint.js';
import { pageOf, sizeOf, type Page, type PageQuery } from './page.js';

const OF_DESCRIPTION = ['BACKEND_TYPE_NOT_FOUND', 'UNKNOWN_VERSION', 'INVALID_SETTINGS', 'INVALID_LOCATION'] as const;

/** Instances of external systems. */
@ApiTags('Backends')
@Controller('v1/backends')
export class BackendsController {
  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
  ) {}

  @Post()
  @Write({
    summary: 'Register a backend',
    answers: { 201: backendAnswer },
    codes: ['BACKEND_EXISTS', 'INVALID_ID', ...OF_DESCRIPTION],
    body: true,
  })
  async register(
    @Body({ schema: backendBody }) body: z.output<typeof backendBody>,
    @TheChange() { options, context }: ChangeCall,
  ): Promise<BackendView> {
    return orThrow(await this.opened.backends.register(body, context, options)).backend;
  }

  @Get()
  @Read({ summary: 'All backends, by id; retired ones too', answers: { 200: backendPage } })
  async list(@Query({ schema: pageQuery }) query: PageQuery): Promise<Page<BackendView>> {
    const size = sizeOf(query);
    return pageOf(await this.opened.backends.list(query.cursor, size), size, ({ id }) => id);
  }

  @Get(':backend')
  @Read({
    summary: 'A backend',
    description: 'Never with its secrets.',
    answers: { 200: backendAnswer },
    codes: ['BACKEND_NOT_FOUND'],
  })
  async get(@Param('backend') id: string): Promise<BackendView> {
    return orThrow(await this.opened.backends.get(id));
  }

  @Patch(':backend')
  @Write({
    summary: 'Change a backend',
    answers: { 200: backendAnswer },
    codes: ['BACKEND_NOT_FOUND', 'LEDGER_CLOSED', ...OF_DESCRIPTION],
    body: true,
  })
  async change(
    @Param('backend') id: string,
    @Body({ schema: backendChangeBody }) body: z.output<typeof backendChangeBody>,
    @TheChange() { options, context }: ChangeCall,
  ): Promise<BackendView> {
    return orThrow(await this.opened.backends.change(id, body, context, options)).backend;
  }

  @Post(':backend/pause')
  @Write({
    summary: 'Pause it: writes to its ledgers are refused',
    answers: { 200: backendAnswer },
    codes: ['BACKEND_NOT_FOUND', 'LEDGER_CLOSED'],
  })
  async pause(@Param('backend') id: string, @TheChange() { options, context }: ChangeCall): Promise<BackendView> {
    return orThrow(await this.opened.backends.pause(id, context, options)).backend;
  }

  @Post(':backend/resume')
  @Write({ summary: 'Resume it', answers: { 200: backendAnswer }, codes: ['BACKEND_NOT_FOUND', 'LEDGER_CLOSED'] })
  async resume(@Param('backend') id: string, @TheChange() { options, context }: ChangeCall): Promise<BackendView> {
    return orThrow(await this.opened.backends.resume(id, context, options)).backend;
  }

  @Delete(':backend')
  @Write({
    summary: 'Retire it for good',
    description: 'Its id is never used again. Refused while bindings live.',
    answers: { 200: backendAnswer },
    codes: ['BACKEND_NOT_FOUND', 'BACKEND_IN_USE'],
  })
  async retire(@Param('backend') id: string, @TheChange() { options, context }: ChangeCall): Promise<BackendView> {
    return orThrow(await this.opened.backends.retire(id, context, options));
  }

  @Get(':backend/credentials')
  @RecordedRead({
    summary: 'Username, password and secret settings',
    description: 'That they were read is recorded.',
    answers: { 200: credentialsAnswer },
    codes: ['BACKEND_NOT_FOUND', 'LEDGER_CLOSED'],
  })
  async credentials(
    @Param('backend') id: string,
    @TheChange() { options, context }: ChangeCall,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Credentials> {
    void reply.header('cache-control', 'no-store');
    return orThrow(await this.opened.backends.readCredentials(id, context, options));
  }

  @Get(':backend/history')
  @Read({
    summary: 'What was done with it, and who read its credentials',
    description: 'Each event with the members that it changed, before and after it.',
    answers: { 200: backendEventPage },
    codes: ['BACKEND_NOT_FOUND'],
    produces: ['application/json', NDJSON],
  })
  async history(
    @Param('backend') id: string,
    @Query({ schema: historyQuery }) query: z.output<typeof historyQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const limit = query.limit ?? DEFAULT_PAGE;
    const first = orThrow(await this.opened.backends.history(id, { after: query.cursor, limit }));
    if (wantsLines(request)) return sendPages(request, reply, this.historyFrom(id, first, limit), this.options);
    return void reply.send(pageOf(first, limit, ({ revision }) => String(revision)));
  }

  private async *historyFrom(id: string, first: BackendHistoryEvent[], limit: number): AsyncGenerator<BackendHistoryEvent[]> {
    for (let page = first; ;) {
      yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return;
      page = orThrow(await this.opened.backends.history(id, { after: last.revision, limit }));
    }
  }
}

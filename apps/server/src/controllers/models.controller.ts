import { Body, Controller, Get, Inject, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { BindingModelView } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { modelAnswer, modelBody, modelPage, pageQuery } from '#schemas';
import { TheChange, type ChangeCall } from '../http/parameters.js';
import { orThrow } from '../http/problem.js';
import { Read, Write } from '../openapi/endpoint.js';
import { pageOf, sizeOf, type Page, type PageQuery } from './page.js';

/** What can be bound, to backends of which type, and by which rules. */
@ApiTags('Catalog')
@Controller('v1/models')
export class ModelsController {
  constructor(@Inject(OPENED_LEDGER) private readonly opened: OpenedLedger) {}

  @Put(':model')
  @Write({
    summary: 'Define a model',
    answers: { 200: modelAnswer, 201: modelAnswer },
    codes: ['INVALID_ID', 'INVALID_SCHEMA', 'BACKEND_TYPE_NOT_FOUND', 'MODEL_CHANGE_VIOLATED'],
    body: true,
  })
  async define(
    @Param('model') model: string,
    @Body({ schema: modelBody }) body: z.output<typeof modelBody>,
    @TheChange() { options, context }: ChangeCall,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BindingModelView> {
    const answer = orThrow(await this.opened.catalog.defineModel({ model, ...body }, context, options));
    if (answer.outcome === 'created') void reply.code(201);
    return answer.model;
  }

  @Get()
  @Read({ summary: 'All models, by name', answers: { 200: modelPage } })
  async list(@Query({ schema: pageQuery }) query: PageQuery): Promise<Page<BindingModelView>> {
    const size = sizeOf(query);
    return pageOf(await this.opened.catalog.models(query.cursor, size), size, ({ model }) => model);
  }

  @Get(':model')
  @Read({ summary: 'A model', answers: { 200: modelAnswer }, codes: ['MODEL_NOT_FOUND'] })
  async get(@Param('model') model: string): Promise<BindingModelView> {
    return orThrow(await this.opened.catalog.model(model));
  }
}

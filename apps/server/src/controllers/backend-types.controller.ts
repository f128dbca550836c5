import { Body, Controller, Get, Inject, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { BackendTypeView } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { backendTypeAnswer, backendTypeBody, backendTypePage, pageQuery } from '#schemas';
import { TheChange, type ChangeCall } from '../http/parameters.js';
import { orThrow } from '../http/problem.js';
import { Read, Write } from '../openapi/endpoint.js';
import { pageOf, sizeOf, type Page, type PageQuery } from './page.js';

/** Kinds of external systems. */
@ApiTags('Catalog')
@Controller('v1/backend-types')
export class BackendTypesController {
  constructor(@Inject(OPENED_LEDGER) private readonly opened: OpenedLedger) {}

  @Put(':type')
  @Write({
    summary: 'Define a backend type',
    answers: { 200: backendTypeAnswer, 201: backendTypeAnswer },
    codes: ['INVALID_ID', 'INVALID_SCHEMA', 'VERSION_IN_USE'],
    body: true,
  })
  async define(
    @Param('type') type: string,
    @Body({ schema: backendTypeBody }) body: z.output<typeof backendTypeBody>,
    @TheChange() { options, context }: ChangeCall,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BackendTypeView> {
    const answer = orThrow(await this.opened.catalog.defineType({ type, ...body }, context, options));
    if (answer.outcome === 'created') void reply.code(201);
    return answer.type;
  }

  @Get()
  @Read({ summary: 'All backend types, by name', answers: { 200: backendTypePage } })
  async list(@Query({ schema: pageQuery }) query: PageQuery): Promise<Page<BackendTypeView>> {
    const size = sizeOf(query);
    return pageOf(await this.opened.catalog.types(query.cursor, size), size, ({ type }) => type);
  }

  @Get(':type')
  @Read({ summary: 'A backend type', answers: { 200: backendTypeAnswer }, codes: ['BACKEND_TYPE_NOT_FOUND'] })
  async get(@Param('type') type: string): Promise<BackendTypeView> {
    return orThrow(await this.opened.catalog.type(type));
  }
}

import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { liveAnswer, readyAnswer } from '#schemas';
import { refusedError } from '../http/problem.js';
import { Metrics } from '../metrics.js';
import { Operation } from '../openapi/endpoint.js';
import { projectionLags } from '../projection-lag.js';
import { MAX_MEASURED_LAG } from '../subscriber-metrics.js';

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/** For those who run the server. */
@ApiTags('Operations')
@Controller()
export class OperationsController {
  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(Metrics) private readonly measured: Metrics,
  ) {}

  @Get('health/live')
  @Operation({ summary: 'Whether the process answers', answers: { 200: liveAnswer } })
  live(): { live: true } {
    return { live: true };
  }

  @Get('health/ready')
  @Operation({ summary: 'Whether it can serve, or why not', answers: { 200: readyAnswer }, codes: ['STORE_UNAVAILABLE'] })
  async ready(): Promise<object> {
    const health = await this.opened.health();
    if (health.ready) return health;
    throw refusedError('STORE_UNAVAILABLE', health.reasons.join('; '), { details: { ...health } });
  }

  @Get('metrics')
  @Operation({
    summary: "Metrics in Prometheus' form",
    answers: { 200: z.string() },
    codes: ['STORE_UNAVAILABLE'],
    produces: ['text/plain'],
  })
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    const lags = await projectionLags(this.opened, Date.now());
    this.measured.subscribers.set(await this.opened.subscribers.list(MAX_MEASURED_LAG));
    const text = await this.measured.text(this.opened.ledger.queueDepths(), lags);
    void reply.header('content-type', PROMETHEUS_TEXT).send(text);
  }
}

import { Body, Controller, Get, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { parkedList, replayBody, resetBody, skipBody, subscriberAnswer, subscriberList } from '#schemas';
import type { Asking, BindingName, OperationRefusal, ParkedBinding, SubscriberView } from '#subscriptions';
import { TheChange, type ChangeCall } from '../http/parameters.js';
import { RefusedError } from '../http/problem.js';
import { Read, Write } from '../openapi/endpoint.js';

const ASKED = 'It is done by the instance that runs the subscriber, at once or when there is one: `requests` has it until then.';

/** Durable subscribers of all applications on this ledger: where each is, what it has parked, and what is to be done about it. */
@ApiTags('Subscribers')
@Controller('v1/subscribers')
export class SubscribersController {
  private readonly subscribers: OpenedLedger['subscribers'];

  constructor(@Inject(OPENED_LEDGER) { subscribers }: OpenedLedger) {
    this.subscribers = subscribers;
  }

  @Get()
  @Read({ summary: 'All subscribers that ever ran, by name', answers: { 200: subscriberList } })
  async list(): Promise<{ items: SubscriberView[] }> {
    return { items: await this.subscribers.list() };
  }

  @Get(':name')
  @Read({ summary: 'A subscriber', answers: { 200: subscriberAnswer }, codes: ['SUBSCRIBER_NOT_FOUND'] })
  async get(@Param('name') name: string): Promise<SubscriberView> {
    return orThrow(await this.subscribers.show(name));
  }

  @Get(':name/parked')
  @Read({
    summary: 'What it could not handle, by binding',
    description: 'All of it: there is a limit to what can be parked.',
    answers: { 200: parkedList },
    codes: ['SUBSCRIBER_NOT_FOUND'],
  })
  async parked(@Param('name') name: string): Promise<{ items: ParkedBinding[] }> {
    return { items: orThrow(await this.subscribers.parked(name)) };
  }

  @Post(':name/replay')
  @Write({
    summary: 'Try parked events again',
    description: ASKED,
    answers: { 202: subscriberAnswer },
    codes: ['SUBSCRIBER_NOT_FOUND', 'BINDING_NOT_FOUND'],
    body: true,
  })
  async replay(
    @Param('name') name: string,
    @Body({ schema: replayBody }) body: z.output<typeof replayBody>,
    @TheChange() call: ChangeCall,
  ): Promise<SubscriberView> {
    return orThrow(
      await this.subscribers.replayParked(name, 'bindingId' in body ? (body as BindingName) : undefined, askingOf(call)),
    );
  }

  @Post(':name/skip')
  @Write({
    summary: 'Leave out the first parked event of a binding, and try those behind it again',
    description: ASKED,
    answers: { 202: subscriberAnswer },
    codes: ['SUBSCRIBER_NOT_FOUND', 'BINDING_NOT_FOUND', 'VERSION_MISMATCH'],
    body: true,
  })
  async skip(
    @Param('name') name: string,
    @Body({ schema: skipBody }) { revision, ...binding }: z.output<typeof skipBody>,
    @TheChange() call: ChangeCall,
  ): Promise<SubscriberView> {
    return orThrow(await this.subscribers.skip(name, binding, revision, askingOf(call)));
  }

  @Post(':name/reset')
  @Write({
    summary: 'Go on from the start, a position or the end, and forget what is parked',
    description: ASKED,
    answers: { 202: subscriberAnswer },
    codes: ['SUBSCRIBER_NOT_FOUND', 'POSITION_GONE'],
    body: true,
  })
  async reset(
    @Param('name') name: string,
    @Body({ schema: resetBody }) { to }: z.output<typeof resetBody>,
    @TheChange() call: ChangeCall,
  ): Promise<SubscriberView> {
    return orThrow(await this.subscribers.reset(name, to, askingOf(call)));
  }
}

function askingOf({ options: { key, reason }, context: { actor } }: ChangeCall): Asking {
  return { key, reason, actor };
}

function orThrow<T extends object>(answer: T): Exclude<T, { refused: string }> {
  if ('refused' in answer) throw new RefusedError(answer as unknown as Extract<OperationRefusal, { refused: string }>);
  return answer as Exclude<T, { refused: string }>;
}

/** Durable subscribers as operators see them, and what they ask of them. */
import { z } from 'zod';
import { MAX_BINDING_ID_LENGTH } from './values.js';

const MAX_NAME_LENGTH = 100;
const MAX_POSITION_LENGTH = 200;
const instant = z.string().meta({ format: 'date-time', example: '2026-03-03T08:30:00.000Z' });
const name = z.string().min(1).max(MAX_NAME_LENGTH);
const bindingOf = {
  backend: name,
  model: name,
  bindingId: z.string().min(1).max(MAX_BINDING_ID_LENGTH),
};

export const subscriberAnswer = z
  .object({
    name: z.string(),
    state: z.enum(['running', 'waiting', 'stopped']).meta({
      description: '`waiting`: no instance runs it now. `stopped`: it does not go on, and `stopped` says why.',
    }),
    stopped: z.string().nullable(),
    instance: z.string().nullable().meta({ description: 'Which instance runs it: host, process, and a part that is made up.' }),
    since: instant.meta({ description: 'Since when, if one does.' }),
    seenAt: instant.meta({ description: 'Its last sign of life.' }),
    filter: z.record(z.string(), z.array(z.string())),
    position: z.string().meta({ description: 'Everything up to here is handled or parked.' }),
    lag: z.object({
      events: z.int().meta({ description: 'Events of ledgers after the position, whether the filter wants them or not.' }),
      more: z.boolean().meta({ description: 'There are more; they were not counted.' }),
      seconds: z.number().meta({ description: 'Age of the first of them.' }),
    }),
    parked: z.object({
      events: z.int(),
      bindings: z.int(),
      oldestAt: instant.nullable(),
      oldestSeconds: z.number(),
    }),
    lastError: z
      .object({
        at: instant,
        message: z.string(),
        backend: z.string().optional(),
        model: z.string().optional(),
        bindingId: z.string().optional(),
        revision: z.int().optional(),
        attempt: z.int().optional(),
      })
      .nullable(),
    requests: z
      .array(
        z.object({
          id: z.string(),
          action: z.enum(['replay', 'skip', 'reset']),
          at: instant,
          actor: z.string().optional(),
          reason: z.string().optional(),
        }),
      )
      .meta({ description: 'What was asked of it and is not done yet.' }),
  })
  .meta({ id: 'Subscriber' });
export const subscriberList = z.object({ items: z.array(subscriberAnswer) }).meta({ id: 'SubscriberList' });

const parkedBinding = z
  .object({
    ...bindingOf,
    recordId: z.string(),
    error: z.string().meta({ description: 'Why the first event was given up.' }),
    triedAt: instant,
    attempts: z.int(),
    events: z
      .array(z.object({ revision: z.int(), position: z.string(), type: z.string(), parkedAt: instant }))
      .meta({ description: 'In order. The first failed, the others wait behind it.' }),
  })
  .meta({ id: 'ParkedBinding' });
export const parkedList = z.object({ items: z.array(parkedBinding) }).meta({ id: 'ParkedList' });

export const replayBody = z
  .union([z.strictObject(bindingOf), z.strictObject({})])
  .default({})
  .meta({ id: 'ReplayRequest', description: 'One binding, or, without members, all that are parked.' });

export const skipBody = z
  .strictObject({
    ...bindingOf,
    revision: z.int().min(0).meta({ description: 'Of the first parked event of the binding.' }),
  })
  .meta({ id: 'SkipRequest' });

export const resetBody = z
  .strictObject({
    to: z.string().min(1).max(MAX_POSITION_LENGTH).meta({
      description: '`start`, `now`, or the position of an event: it goes on behind it.',
    }),
  })
  .meta({ id: 'ResetRequest' });

/** The client is published by itself, so it spells the wire's types once more: they must be those that the server answers with. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type * as client from '#client';
import type { Command, Outcome } from '#domain';
import type { BindingAsOf, BindingEventView, DifferencesReport, Digest, LedgerStatusView, RecordAsOf } from '#ledger';
import type { LocatedBinding } from '#read-model';
import type { Rebuilt } from '#runtime';
import { PROBLEM_KINDS, type ProblemCode } from '#server';
import type { ParkedBinding, SubscriberView } from '#subscriptions';

describe('the types of the client', () => {
  it('take what the server answers', () => {
    expectTypeOf<LocatedBinding>().toExtend<client.Binding>();
    expectTypeOf<LedgerStatusView>().toExtend<client.LedgerStatus>();
    expectTypeOf<DifferencesReport>().toExtend<client.Differences>();
    expectTypeOf<Rebuilt>().toExtend<client.Rebuilt>();
    expectTypeOf<Digest>().toExtend<client.Digest>();
    expectTypeOf<BindingEventView>().toExtend<client.BindingEvent>();
    expectTypeOf<client.BindingEvent['type']>().toEqualTypeOf<BindingEventView['type']>();
    expectTypeOf<BindingAsOf>().toExtend<client.LookedUpBinding>();
    expectTypeOf<RecordAsOf>().toExtend<client.RecordBindingsAsOf>();
    expectTypeOf<SubscriberView>().toExtend<client.Subscriber>();
    expectTypeOf<ParkedBinding>().toExtend<client.ParkedBinding>();
    expectTypeOf<client.Outcome>().toEqualTypeOf<Outcome>();
    expectTypeOf<client.Command['op']>().toEqualTypeOf<Command['op']>();
  });

  it('name every code that the server has', () => {
    expectTypeOf<ProblemCode>().toExtend<client.ApiErrorCode>();
    expect(Object.keys(PROBLEM_KINDS).length).toBeGreaterThan(30);
  });
});

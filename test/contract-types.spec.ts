/** The client is published by itself, so it spells the wire's types once more: they must be those that the server answers with. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type * as client from '#client';
import type { Command, Outcome } from '#domain';
import type { Digest, LedgerStatusView } from '#ledger';
import type { LocatedBinding } from '#read-model';
import { PROBLEM_KINDS, type ProblemCode } from '#server';

describe('the types of the client', () => {
  it('take what the server answers', () => {
    expectTypeOf<LocatedBinding>().toExtend<client.Binding>();
    expectTypeOf<LedgerStatusView>().toExtend<client.LedgerStatus>();
    expectTypeOf<Digest>().toExtend<client.Digest>();
    expectTypeOf<client.Outcome>().toEqualTypeOf<Outcome>();
    expectTypeOf<client.Command['op']>().toEqualTypeOf<Command['op']>();
  });

  it('name every code that the server has', () => {
    expectTypeOf<ProblemCode>().toExtend<client.ApiErrorCode>();
    expect(Object.keys(PROBLEM_KINDS).length).toBeGreaterThan(30);
  });
});

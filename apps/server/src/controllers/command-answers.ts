import { Inject, Injectable } from '@nestjs/common';
import { CommandBus, type Command } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { ledgerKey, type Command as LedgerCommand, type LedgerName } from '#domain';
import type { LocatedAnswer, LocatedRefusal } from '#ledger';
import { LEDGER_REVISION } from '../http/headers.js';
import { orThrow } from '../http/problem.js';
import { Metrics } from '../metrics.js';

/** Does commands that come one by one. */
@Injectable()
export class CommandAnswers {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  /** The answer, with its status and the revision that a read must include to see it. @throws for a refusal. */
  async of<T extends LocatedAnswer>(
    op: LedgerCommand['op'],
    reply: FastifyReply,
    command: Command<T | LocatedRefusal> & { ledger: LedgerName },
  ): Promise<T> {
    const result = await this.commands.execute(command);
    this.metrics.command({ op }, result);
    const answer = orThrow(result) as T;
    void reply.header(LEDGER_REVISION, `${ledgerKey(command.ledger)}@${answer.revision}`);
    if (answer.outcome === 'created') void reply.code(201);
    return answer;
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { isRefusal, refuse, type LedgerName, type Refusal } from '#domain';
import {
  locateRefusal,
  type AsOf,
  type BindingAsOf,
  type Freshness,
  type HistoryPageView,
  type LocatedRefusal,
  type RecordAsOf,
} from '#ledger';
import type { OpenedLedger } from '#runtime';
import {
  admitAsOf,
  admitFreshness,
  admitHistory,
  admitId,
  admitLedger,
  admitPage,
  admitRecord,
  type AsOfInput,
  type HistoryInput,
  type Id,
  type Instant,
  type PageInput,
  type RecordInput,
} from './inputs.js';
import { answerOf } from './ledger.service.js';
import { OPENED_LEDGER } from './options.js';

type Lookup = (ledger: LedgerName, id: string, asOf: AsOf, freshness: Freshness) => Promise<BindingAsOf | LocatedRefusal>;

/** What was, for jobs of this process: what the queries of the past are answered with. */
@Injectable()
export class PastService {
  constructor(@Inject(OPENED_LEDGER) private readonly opened: OpenedLedger) {}

  async history(
    ledger: LedgerName,
    of: HistoryInput,
    page: PageInput = {},
    freshness: Freshness = {},
  ): Promise<HistoryPageView | Refusal> {
    const [named, key, size, fresh] = [admitLedger(ledger), admitHistory(of), admitPage(page), admitFreshness(freshness)];
    if (isRefusal(named)) return named;
    if (isRefusal(key)) return key;
    if (isRefusal(size)) return size;
    return isRefusal(fresh) ? fresh : answerOf(() => this.opened.past.history(named, key, size, fresh));
  }

  async historyOfRecord(record: RecordInput, page: PageInput = {}): Promise<HistoryPageView | Refusal> {
    const [wanted, size] = [admitRecord(record), admitPage(page)];
    if (isRefusal(wanted)) return wanted;
    return isRefusal(size) ? size : answerOf(() => this.opened.past.historyOfRecord(wanted, size));
  }

  async toInternal(ledger: LedgerName, id: Id, asOf: AsOfInput, freshness: Freshness): Promise<BindingAsOf | LocatedRefusal> {
    return this.lookUp(ledger, admitId(id, 'externalId'), asOf, freshness, (...asked) => this.opened.past.toInternal(...asked));
  }

  async toExternal(ledger: LedgerName, id: Id, asOf: AsOfInput, freshness: Freshness): Promise<BindingAsOf | LocatedRefusal> {
    return this.lookUp(ledger, admitId(id, 'recordId'), asOf, freshness, (...asked) => this.opened.past.toExternal(...asked));
  }

  async bindingsOfRecord(record: RecordInput, at: Instant): Promise<RecordAsOf | Refusal> {
    const [wanted, asOf] = [admitRecord(record), admitAsOf(at)];
    if (isRefusal(wanted)) return wanted;
    if (isRefusal(asOf)) return asOf;
    if ('revision' in asOf) return refuse('MALFORMED', 'asOf is an instant here: each ledger has its own revisions');
    return answerOf(() => this.opened.past.bindingsOfRecord(wanted, asOf.at));
  }

  private async lookUp(
    ledger: LedgerName,
    wanted: { id: string } | Refusal,
    asOf: AsOfInput,
    freshness: Freshness,
    find: Lookup,
  ): Promise<BindingAsOf | LocatedRefusal> {
    const [named, moment, fresh] = [admitLedger(ledger), admitAsOf(asOf), admitFreshness(freshness)];
    const nowhere = { ...ledger, localModel: null };
    if (isRefusal(named)) return locateRefusal(nowhere, named);
    if (isRefusal(wanted)) return locateRefusal(nowhere, wanted);
    if (isRefusal(moment)) return locateRefusal(nowhere, moment);
    if (isRefusal(fresh)) return locateRefusal(nowhere, fresh);
    const answer = await answerOf(() => find(named, wanted.id, moment, fresh));
    return isRefusal(answer) ? (answer as LocatedRefusal) : answer;
  }
}

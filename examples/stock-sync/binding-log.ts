import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { BehaviorSubject, filter, firstValueFrom } from 'rxjs';
import { LedgerEvents, type LiveEvent } from '#nest';

export type Print = (line: string) => void;
export const PRINT = Symbol('PRINT');

/** Prints what happens to bindings, as it happens: a live reaction that nothing depends on. */
@Injectable()
export class BindingLog implements OnModuleInit {
  private readonly newest = new BehaviorSubject(-1);

  constructor(
    private readonly events: LedgerEvents,
    @Inject(PRINT) private readonly print: Print,
  ) {}

  /** There is nothing to unsubscribe: the observable completes when the application shuts down. */
  async onModuleInit(): Promise<void> {
    this.events.live().subscribe({
      next: (event) => {
        this.print(lineOf(event));
        this.newest.next(event.revision);
      },
      error: (error: unknown) => this.print(`no more live events: ${String(error)}`),
    });
    await this.events.listening();
  }

  /** Resolves when everything up to the revision is printed. */
  async printed(revision: number): Promise<void> {
    await firstValueFrom(this.newest.pipe(filter((newest) => newest >= revision)));
  }
}

function lineOf({ type, model, backend, externalId, recordId, cause }: LiveEvent): string {
  const why = cause === undefined ? '' : `, ${cause}`;
  return `  ${type}: ${externalId ?? 'no external id'} on ${backend} is ${model} of record ${recordId}${why}`;
}

import { START as CLIENT_START, streamNameFilter, type EventStoreDBClient } from '@eventstore/db-client';
import { START, type Position, type Revision } from '#event-store';
import { Live, READ_AHEAD_EVENTS, type Arrived, type ClientSubscription } from './live.js';
import { formatPosition, laterOf, parsePosition } from './positions.js';

/** So many events of others the node searches before it tells how far it is: a restart never searches them again. */
const SEARCH_WINDOW_EVENTS = 64;
const BUFFERS = { highWaterMark: READ_AHEAD_EVENTS };

/** Something that can be followed from where the last batch ended, as often as need be. */
export interface Source {
  readonly position: Position;
  begin(): Promise<Live>;
  /** Takes what is about to be handed on as done. */
  advance(arrived: Arrived): void;
  /** Whether the store holds what a subscription would have given, or at least told of, by now. */
  isBehind(): Promise<boolean>;
}

export class StreamSource implements Source {
  position: Position = START;

  constructor(
    private readonly client: EventStoreDBClient,
    private readonly headRevision: (stream: string) => Promise<Revision>,
    private readonly stream: string,
    private revision: Revision,
  ) {}

  async begin(): Promise<Live> {
    // Exclusive: the subscription begins with the event behind it.
    const fromRevision = this.revision < 0 ? CLIENT_START : BigInt(this.revision);
    const subscription = this.client.subscribeToStream(this.stream, { fromRevision, requiresLeader: true }, BUFFERS);
    return new Live(subscription as unknown as ClientSubscription);
  }

  advance({ events }: Arrived): void {
    const last = events.at(-1);
    if (last !== undefined) ({ revision: this.revision, position: this.position } = last);
  }

  async isBehind(): Promise<boolean> {
    return (await this.headRevision(this.stream)) > this.revision;
  }
}

export class AllSource implements Source {
  /** Where the store ended when the subscription began: it was searched up to there when it has caught up. */
  private endAtBegin: Position = START;

  constructor(
    private readonly client: EventStoreDBClient,
    private readonly endPosition: () => Promise<Position>,
    private readonly prefixes: readonly string[],
    public position: Position,
  ) {}

  async begin(): Promise<Live> {
    this.endAtBegin = await this.endPosition();
    const told: { live?: Live } = {};
    const filter = streamNameFilter({
      prefixes: [...this.prefixes],
      maxSearchWindow: SEARCH_WINDOW_EVENTS,
      checkpointInterval: 1,
      checkpointReached: (_subscription, position) => told.live?.checkpoint(formatPosition(position)),
    });
    const fromPosition = parsePosition(this.position);
    // The client's `readAll` would take no notice of the filter; its subscription does.
    const options = { fromPosition, requiresLeader: true, filter: this.prefixes.includes('') ? undefined : filter };
    const subscription = this.client.subscribeToAll(options, BUFFERS);
    told.live = new Live(subscription as unknown as ClientSubscription);
    return told.live;
  }

  advance({ events, searched = START, checkpoint, caughtUp }: Arrived): void {
    this.position = laterOf(this.position, events.at(-1)?.position ?? START);
    // Never beyond the newest event, as far as it is known: whoever compares the two would take the store for another one.
    this.position = laterOf(this.position, searched < this.endAtBegin ? searched : this.endAtBegin);
    this.position = laterOf(this.position, checkpoint ?? START);
    if (caughtUp) this.position = laterOf(this.position, this.endAtBegin);
  }

  async isBehind(): Promise<boolean> {
    return (await this.endPosition()) > this.position;
  }
}

/** A reader of server-sent events that is as slow, or as gone, as a test wants it. */
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';

export interface Block {
  id?: string;
  data?: string;
  retry?: string;
}

export class StreamReader {
  private constructor(
    readonly sent: ClientRequest,
    readonly response: IncomingMessage,
  ) {
    // A connection that is cut is seen by whoever iterates.
    response.on('error', () => undefined);
  }

  static async open(url: string | URL, headers: Record<string, string> = {}): Promise<StreamReader> {
    const sent = request(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false });
    sent.on('error', () => undefined);
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return new StreamReader(sent, response);
  }

  /** Blocks as they arrive; nothing is read ahead. Ends when the stream ends, and throws when it is cut. */
  async *blocks(): AsyncGenerator<Block> {
    let rest = '';
    for await (const piece of this.response.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      const blocks = `${rest}${piece as string}`.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) yield blockOf(block);
    }
  }

  /** The next so many events, as their JSON has them. */
  async events(count: number): Promise<Record<string, unknown>[]> {
    const events: Record<string, unknown>[] = [];
    if (count === 0) return events;
    for await (const { data } of this.blocks()) {
      if (data !== undefined) events.push(JSON.parse(data) as Record<string, unknown>);
      if (events.length === count) break;
    }
    return events;
  }

  close(): void {
    this.sent.destroy();
  }
}

function blockOf(text: string): Block {
  return Object.fromEntries(
    text.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
}

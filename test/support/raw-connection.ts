/** A bare connection to a server, for requests that no HTTP client would send. */
import { connect, type Socket } from 'node:net';

export class RawConnection {
  /** Everything that came. */
  received = '';
  /** Resolves when the connection is over, however it ended. */
  readonly closed: Promise<void>;
  private wake = () => {};

  private constructor(readonly socket: Socket) {
    socket.on('data', (data: Buffer) => {
      this.received += data.toString('latin1');
      this.wake();
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async to(url: URL): Promise<RawConnection> {
    const socket = connect(Number(url.port), url.hostname);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawConnection(socket);
  }

  /** What is beyond ASCII is sent as single bytes. */
  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves when the text has come. */
  async until(text: string): Promise<void> {
    while (!this.received.includes(text)) {
      if (this.socket.destroyed) throw new Error(`the connection ended before ${JSON.stringify(text)}: ${this.received}`);
      await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), this.closed]);
    }
  }

  /** The status of each answer that came; the body of one may end on the line on which the next begins. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  }

  /** The body of the last answer. */
  get lastBody(): Record<string, unknown> {
    return JSON.parse(this.received.slice(this.received.lastIndexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
  }
}

/** A way to the server that can be cut, stalled and restored, whatever server it is. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { mongoTestUrl } from './database.js';

export class MongoProxy {
  private readonly pairs = new Set<[Socket, Socket]>();
  private state: 'open' | 'cut' | 'stalled' = 'open';

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(): Promise<MongoProxy> {
    const { hostname, port } = new URL(mongoTestUrl());
    const server = createServer({ allowHalfOpen: false });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const proxy = new MongoProxy(server, (server.address() as { port: number }).port);
    server.on('connection', (client) => proxy.join(client, connect({ host: hostname, port: Number(port || 27017) })));
    return proxy;
  }

  /** The URL of a database by way of the proxy, with the options that the server's own URL has. */
  urlOf(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${this.port}`;
    // A replica set tells of its own addresses, which lead past the proxy.
    url.searchParams.set('directConnection', 'true');
    return url.href;
  }

  /** Connections are reset, now and from now on. */
  cut(): void {
    this.state = 'cut';
    for (const [client, server] of this.pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  /** Nothing goes through, and nobody says so. */
  stall(): void {
    this.state = 'stalled';
    for (const pair of this.pairs) for (const socket of pair) socket.pause();
  }

  restore(): void {
    this.state = 'open';
    for (const pair of this.pairs) for (const socket of pair) socket.resume();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket, server: Socket): void {
    if (this.state === 'cut') {
      client.resetAndDestroy();
      server.destroy();
      return;
    }
    const pair: [Socket, Socket] = [client, server];
    this.pairs.add(pair);
    client.pipe(server);
    server.pipe(client);
    if (this.state === 'stalled') for (const socket of pair) socket.pause();
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.pairs.delete(pair);
        client.destroy();
        server.destroy();
      });
    }
  }
}

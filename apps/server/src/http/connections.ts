/** Which connections wait for a request, and what is being answered on the others: Node tells neither of a connection on which nothing came yet. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A request whose answer is not sent in full. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

export class Connections {
  private readonly open = new Map<Socket, Exchange[]>();
  private ending = false;

  /** To be called before the server listens. */
  watch(server: Server): void {
    server.on('connection', (socket) => this.accept(socket));
    // Before Fastify's own listener, which may answer at once.
    server.prependListener('request', (request, response) => this.begin({ request, response }));
  }

  /** What is being answered on a connection, in the order of the requests. */
  exchangesOf(socket: Socket): readonly Exchange[] {
    return this.open.get(socket) ?? [];
  }

  /** Ends those that wait for a request now, and each of the others as soon as it has been answered. */
  end(): void {
    this.ending = true;
    for (const [socket, exchanges] of this.open) if (exchanges.length === 0) socket.destroy();
  }

  private accept(socket: Socket): void {
    if (this.ending) return void socket.destroy();
    this.open.set(socket, []);
    socket.once('close', () => this.open.delete(socket));
  }

  private begin(exchange: Exchange): void {
    const { socket } = exchange.request;
    this.open.get(socket)?.push(exchange);
    exchange.response.once('close', () => {
      const left = this.exchangesOf(socket).filter((each) => each !== exchange);
      if (this.open.has(socket)) this.open.set(socket, left);
      if (this.ending && left.length === 0) socket.destroySoon();
    });
  }
}

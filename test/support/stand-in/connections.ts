/** The node's port and the connections to it, so that one of them can be cut, or all, without the node's leave. */
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { Server, ServerInterceptingCall, type ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';

const MAX_MESSAGE_BYTES = 17 * 1024 * 1024;

export class Connections {
  readonly grpc: Server;
  readonly #host: string;
  readonly #credentials: ServerCredentials;
  readonly #sockets = new Map<string, Socket>();
  #listener: NetServer | undefined;
  #port: number;

  constructor(host: string, port: number, credentials: ServerCredentials) {
    this.#host = host;
    this.#port = port;
    this.#credentials = credentials;
    this.grpc = new Server({
      interceptors: [sendPages],
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    });
  }

  get port(): number {
    return this.#port;
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** Listens; the second time on the same port as the first. */
  async open(): Promise<void> {
    if (this.#listener !== undefined) return;
    const injector = this.grpc.createConnectionInjector(this.#credentials);
    const listener = createServer((socket) => {
      const peer = `${socket.remoteAddress}:${socket.remotePort}`;
      this.#sockets.set(peer, socket);
      socket.setNoDelay(true);
      socket.on('error', () => {}).once('close', () => this.#sockets.delete(peer));
      injector.injectConnection(socket);
    });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(this.#port, this.#host, resolve);
    });
    this.#port = (listener.address() as AddressInfo).port;
    this.#listener = listener;
  }

  /** Cuts a connection, named as gRPC names the peer of a call. */
  drop(peer: string): void {
    this.#sockets.get(peer)?.destroy();
  }

  dropAll(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  /** Refuses new connections and cuts those there are, as when the process dies. */
  async close(): Promise<void> {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    const closed = new Promise((resolve) => listener.close(resolve));
    this.dropAll();
    await closed;
  }
}

/**
 * Lets a handler write many encoded messages at once: one at a time, each would wait for the one before it to be on the wire.
 */
const sendPages: ServerInterceptor = (_method, next) => {
  class PagedCall extends ServerInterceptingCall {
    override sendMessage(message: unknown, callback: () => void): void {
      if (!Array.isArray(message)) return super.sendMessage(message, callback);
      const last = message.length - 1;
      for (const [index, part] of message.entries()) next.sendMessage(part, index === last ? callback : () => {});
    }
  }
  return new PagedCall(next);
};

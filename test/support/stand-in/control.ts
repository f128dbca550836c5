/**
 * The stand-in's faults over HTTP, for a stand-in that is a process of its own. Bodies are JSON.
 *   GET /status · GET /faults · POST /faults {kind, method, stream | streamPattern, times, …} → {id} · DELETE /faults[/{id}]
 *   PUT /clock {skewMs} · PUT /role {role, leader} · POST /drop-connections · POST /restart {downMs}
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { METHODS, type Fault, type FaultSpec } from './faults.js';
import type { StandIn, StandInOptions } from './index.js';

const MAX_BODY_BYTES = 65_536;
const MAX_DOWN_MS = 600_000;

interface Body extends Partial<FaultSpec> {
  streamPattern?: string;
  skewMs?: number;
  role?: StandIn['role'];
  leader?: StandInOptions['leader'];
  downMs?: number;
}

export interface Control {
  port: number;
  close(): Promise<void>;
}

export async function startControl(node: StandIn, port: number): Promise<Control> {
  const faults = new Map<string, Fault>();
  let lastId = 0;
  const routes: Record<string, (body: Body, id: string) => unknown> = {
    'GET /status': () => statusOf(node),
    'GET /faults': () =>
      [...faults].map(([id, { spec, hits, seen }]) => ({ id, ...spec, stream: String(spec.stream), hits, seen })),
    'POST /faults': ({ streamPattern, ...spec }) => {
      const stream = streamPattern === undefined ? spec.stream : new RegExp(streamPattern, 'u');
      const id = String(++lastId);
      faults.set(id, node.faults.add({ ...(spec as FaultSpec), stream }));
      return { id };
    },
    'DELETE /faults': (_body, id) => {
      for (const [key, fault] of faults) if (id === '' || key === id) fault.remove();
      if (id === '') faults.clear();
      else faults.delete(id);
      return {};
    },
    'PUT /clock': ({ skewMs = 0 }) => ({ skewMs: (node.faults.clockSkewMs = skewMs) }),
    'PUT /role': ({ role = 'leader', leader }) => Object.assign(node, { role, leader }) && { role },
    'POST /drop-connections': () => node.dropConnections(),
    'POST /restart': async ({ downMs = 0 }) => {
      await node.down();
      await sleep(Math.min(downMs, MAX_DOWN_MS));
      await node.up();
    },
  };
  const server = createServer((request, response) => {
    const [, resource = '', id = ''] = (request.url ?? '').split('/');
    const route = routes[`${request.method} /${resource}`];
    if (route === undefined) return send(response, 404, { detail: 'No such thing.' });
    bodyOf(request)
      .then((body) => route(body, id))
      .then(
        (answer) => send(response, 200, answer ?? {}),
        (error: unknown) => send(response, 400, { detail: String(error) }),
      );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, node.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

function statusOf(node: StandIn): object {
  const openCalls = Object.fromEntries(
    METHODS.map((method) => [method, node.openCalls(method)]).filter(([, count]) => count !== 0),
  );
  return { url: node.url, role: node.role, events: node.log.events.length, connections: node.connections, openCalls };
}

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError('The body is too long.');
    chunks.push(chunk);
  }
  return bytes === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

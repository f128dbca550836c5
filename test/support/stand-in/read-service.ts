/** `Streams.Read`: reads of a stream and of everything, both ways, and subscriptions. */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { before, errorOf, Outlet, refusalOf, type Node } from './calls.js';
import type { Method } from './faults.js';
import { follow, followAll, followStream } from './following.js';
import type { EventLog, LogEvent } from './log.js';
import { rpcErrors } from './rpc-errors.js';
import { allEvents, filterOf, isReadable, positionOf, revisionOf, streamEvents, type Accepts } from './sources.js';

export type ReadCall = ServerWritableStream<ReadReq, unknown>;
type Options = ReadReq.Options;

const PAGE_EVENTS = 128;
/** A filter that says nothing else looks at so many events at a time. */
const SEARCH_WINDOW = 32;
const ALL = '$all';

export function readHandler(node: Node, log: EventLog): (call: ReadCall) => void {
  return (call) => {
    void answer(node, log, call).catch((error: unknown) => call.emit('error', rpcErrors.unknown(String(error))));
  };
}

async function answer(node: Node, log: EventLog, call: ReadCall): Promise<void> {
  const options = call.request.getOptions();
  if (options === undefined) return void call.emit('error', rpcErrors.invalidArgument('Options are missing.'));
  const stream = options.hasStream() ? streamNameOf(options) : ALL;
  const method = methodOf(options);
  const outlet = new Outlet(node, call as never, method, stream);
  const refusal = refusalOf(node, call, method);
  if (refusal !== undefined) return outlet.finish(refusal);
  const verdict = await before(node, call, method, stream);
  if (verdict.kind === 'silent') return;
  if (verdict.kind !== 'go') return outlet.finish(errorOf(verdict, method));
  if (options.hasSubscription()) await subscribe(log, outlet, options, stream);
  else await read(log, outlet, options, stream);
}

function methodOf(options: Options): Method {
  if (options.hasSubscription()) return options.hasStream() ? 'subscribeStream' : 'subscribeAll';
  return options.hasStream() ? 'readStream' : 'readAll';
}

async function subscribe(log: EventLog, outlet: Outlet, options: Options, stream: string): Promise<void> {
  const streamOptions = options.getStream();
  if (streamOptions !== undefined) {
    if (log.stream(stream)?.tombstoned) return outlet.finish(rpcErrors.streamDeleted(stream));
    return follow(log, outlet, followStream(log, stream, revisionOf(streamOptions)), stream);
  }
  const after = allPositionOf(options);
  if (typeof after === 'number' && !log.isReadable(after)) return outlet.finish(rpcErrors.invalidPosition());
  const filter = options.getFilter();
  const accepts = filter === undefined ? () => true : filterOf(filter);
  const window = filter?.hasMax() ? filter.getMax() : SEARCH_WINDOW;
  const interval = filter && window * Math.max(1, filter.getCheckpointintervalmultiplier());
  await follow(log, outlet, followAll(log, after, accepts, interval), stream);
}

async function read(log: EventLog, outlet: Outlet, options: Options, name: string): Promise<void> {
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  const count = Number(options.getCount());
  const streamOptions = options.getStream();
  if (streamOptions === undefined) {
    const from = allPositionOf(options);
    if (typeof from === 'number' && !log.isReadable(from)) return outlet.finish(rpcErrors.invalidPosition());
    const filter = options.getFilter();
    const accepts: Accepts = filter === undefined ? () => true : filterOf(filter);
    return sendEvents(outlet, allEvents(log, from, backwards, accepts), count);
  }
  const stream = log.stream(name);
  if (stream?.tombstoned) return outlet.finish(rpcErrors.streamDeleted(name));
  if (!isReadable(stream)) {
    await outlet.send([streamNotFound(name)]);
    return outlet.finish();
  }
  await sendEvents(outlet, streamEvents(stream, revisionOf(streamOptions), backwards, Date.now()), count);
}

async function sendEvents(outlet: Outlet, events: Iterable<LogEvent>, count: number): Promise<void> {
  let left = count;
  let page: Uint8Array[] = [];
  if (left > 0) {
    for (const { response } of events) {
      page.push(response);
      left -= 1;
      if (left === 0) break;
      if (page.length < Math.min(PAGE_EVENTS, outlet.room)) continue;
      if (!(await outlet.send(page, page.length))) return;
      page = [];
    }
  }
  if (await outlet.send(page, page.length)) outlet.finish();
}

function streamNameOf(options: Options): string {
  return Buffer.from(options.getStream()?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8');
}

function allPositionOf(options: Options): number | 'start' | 'end' {
  const all = options.getAll();
  return all === undefined ? 'start' : positionOf(all);
}

function streamNotFound(name: string): Uint8Array {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(name, 'utf8'));
  const message = new streams.ReadResp.StreamNotFound();
  message.setStreamIdentifier(identifier);
  const response = new streams.ReadResp();
  response.setStreamNotFound(message);
  return response.serializeBinary();
}

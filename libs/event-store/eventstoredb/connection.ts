import { EventStoreDBClient } from '@eventstore/db-client';
import type { BaseOptions } from '@eventstore/db-client';
import type { CallOptions, Client, Metadata } from '@grpc/grpc-js';

/**
 * What the client offers to its own commands: how a call gets onto its connection, with its credentials, and how its errors make
 * the client look for the leader or connect again.
 */
interface ClientInternals {
  GRPCStreamCreator<C extends Client, T>(
    type: new (...parameters: never[]) => C,
    name: string,
    create: (client: C) => T,
    cache: WeakMap<C, T | Promise<T>>,
  ): () => Promise<T>;
  callArguments(options: BaseOptions, callOptions?: Partial<CallOptions>): [Metadata, Partial<CallOptions>];
  getChannel(): Promise<{ close(): void }>;
}

export function internalsOf(client: EventStoreDBClient): ClientInternals {
  return client as unknown as ClientInternals;
}

/** Options of a connection string. The client would ignore others, and print the whole string, password and all, in doing so. */
const KNOWN_OPTIONS = new Set(
  [
    'userCertFile',
    'userKeyFile',
    'maxDiscoverAttempts',
    'connectionName',
    'defaultDeadline',
    'discoveryInterval',
    'gossipTimeout',
    'nodePreference',
    'tls',
    'tlsCAFile',
    'throwOnAppendFailure',
    'keepAliveInterval',
    'keepAliveTimeout',
  ].map(flat),
);
const CONNECTION_STRING = /^esdb(?:\+discover)?:\/\/(?:[^:@/?]+:[^@/?]+@)?([^@/?]+)\/?(?:\?(.*))?$/;

/** What is wrong with a connection string, in words that repeat nothing of it but names of options. */
export function problemOfConnectionString(url: string): string | undefined {
  const [, hosts, query = ''] = CONNECTION_STRING.exec(url.trim()) ?? [];
  if (hosts === undefined) {
    return 'it has the form esdb://user:password@host:2113?tls=true, or esdb+discover:// for a cluster; in user and password, characters other than letters and digits are percent-encoded';
  }
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const name = pair.split('=', 1)[0] ?? '';
    if (flat(name) === 'tlsverifycert')
      return 'the client cannot leave out the check of certificates: name the certificate of your authority with tlsCAFile';
    if (!KNOWN_OPTIONS.has(flat(name))) return `it has an option ${JSON.stringify(name.slice(0, 40))} that is not known`;
  }
  try {
    // Opens no connection: that is done by the first call.
    EventStoreDBClient.connectionString(url);
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}

/** Host and port of each node that it names, for messages. */
export function hostsOf(url: string): string {
  return CONNECTION_STRING.exec(url.trim())?.[1] ?? 'an unknown host';
}

/** The client's own message may quote the connection string; only what it says of files is handed on. */
function problemOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const harmless = /certificate|userCertFile|keepAlive|defaultDeadline/.test(message) && !message.startsWith('Unexpected');
  return harmless ? message : 'it cannot be read: check the values of its options';
}

function flat(name: string): string {
  return name.trim().toLowerCase().replace(/[_-]/g, '');
}

/** What the vault keeps of a subscriber: one document with its checkpoint and its lease, and one with what is parked. */
import { randomUUID } from 'node:crypto';
import type { Position } from '#event-store';
import type { EventFilter } from '#ledger';
import type { Vault, VaultKey } from '#vault';
import type { BindingName, ParkedBinding } from './parking.js';

export const SUBSCRIBER_KIND = 'subscriber';
export const PARKED_KIND = 'subscriber-parked';
const SCHEMA = 1;
/** Requests that wait for the instance that runs the subscriber. */
export const MAX_REQUESTS = 100;
export const MAX_SERVED = 100;

export interface SubscriberError {
  at: string;
  message: string;
  backend?: string;
  model?: string;
  bindingId?: string;
  revision?: number;
  attempt?: number;
}

/** Who asks for something, and why. */
export interface Asker {
  actor?: string;
  reason?: string;
}

/** What an operator asks of a subscriber. The instance that runs it does so, also one that is started later. */
export type SubscriberRequest = Asker & { id: string; at: string; digest: string } & (
    | { action: 'replay'; binding?: BindingName }
    | { action: 'skip'; binding: BindingName; revision: number }
    | { action: 'reset'; to: Position }
  );

export interface SubscriberDocument {
  schema: number;
  name: string;
  /** Everything up to here is done, or parked. As the store has it; a reset's likewise. */
  position: Position;
  /** One more with each instance that took the lease: a former holder never writes again. */
  epoch: number;
  /** Which instance runs it; `null`: none does. */
  instance: string | null;
  since: string;
  /** Of the holder's last sign of life, by its clock. */
  at: string;
  /** Why it does not go on, though an instance holds it. */
  stopped: string | null;
  filter: EventFilter;
  /** `version` names the document with the parked bindings; `null`: nothing is parked. */
  parked: { version: string | null; events: number; bindings: number; oldestAt: string | null };
  lastError: SubscriberError | null;
  requests: SubscriberRequest[];
  /** The last requests that were done, so that one that is repeated with its key is not done again. */
  served: { id: string; digest: string }[];
}

export const subscriberKey = (name: string): VaultKey => ({ kind: SUBSCRIBER_KIND, id: name, version: '' });
const parkedKey = (name: string, version: string): VaultKey => ({ kind: PARKED_KIND, id: name, version });

export const NOTHING_PARKED: SubscriberDocument['parked'] = { version: null, events: 0, bindings: 0, oldestAt: null };

export function newDocument(name: string, position: Position, filter: EventFilter, now: string): SubscriberDocument {
  return {
    schema: SCHEMA,
    name,
    position,
    epoch: 0,
    instance: null,
    since: now,
    at: now,
    stopped: null,
    filter,
    parked: NOTHING_PARKED,
    lastError: null,
    requests: [],
    served: [],
  };
}

export interface StoredDocument {
  document: SubscriberDocument;
  revision: string;
}

/** @throws for a document of a newer version. */
export async function readDocument(vault: Vault, name: string): Promise<StoredDocument | undefined> {
  const stored = await vault.get(subscriberKey(name));
  if (stored === undefined) return undefined;
  const document = JSON.parse(stored.content) as SubscriberDocument;
  if (document.schema !== SCHEMA)
    throw new Error(`the checkpoint of subscriber ${name} was written by a newer version (schema ${document.schema})`);
  return { document, revision: stored.revision };
}

/** The bindings of a version; `undefined` when a newer version has taken its place meanwhile. */
export async function readParked(vault: Vault, name: string, version: string | null): Promise<ParkedBinding[] | undefined> {
  if (version === null) return [];
  const stored = await vault.get(parkedKey(name, version));
  return stored === undefined ? undefined : (JSON.parse(stored.content) as ParkedBinding[]);
}

/** A version is written once, before the subscriber's document names it. Whoever loses the lease in between leaves one that nobody reads. */
export async function writeParked(
  vault: Vault,
  name: string,
  version: string,
  bindings: readonly ParkedBinding[],
): Promise<void> {
  await vault.put(parkedKey(name, version), JSON.stringify(bindings));
}

export async function deleteParked(vault: Vault, name: string, version: string): Promise<void> {
  await vault.delete(parkedKey(name, version));
}

/** Never used before; begins with the epoch, by which versions compare. */
export function newParkedVersion(epoch: number): string {
  return `${epochText(epoch)}-${randomUUID()}`;
}

const epochText = (epoch: number): string => String(epoch).padStart(12, '0');
const VERSIONS_AT_ONCE = 1_000;

/** Deletes what an instance before left that died, or lost its lease, between two writes. */
export async function deleteForsaken(vault: Vault, { name, epoch, parked }: SubscriberDocument): Promise<void> {
  const options = { limit: VERSIONS_AT_ONCE, after: { id: name, version: '' } };
  for (const { id, version } of await vault.list(PARKED_KIND, options))
    if (id === name && version !== parked.version && version < epochText(epoch)) await deleteParked(vault, name, version);
}

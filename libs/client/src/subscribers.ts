/** The durable subscribers of applications on the ledger. */
import type { CallOptions, WriteOptions } from './options.js';
import type { Transport } from './transport.js';
import { path } from './values.js';
import type { ParkedBinding, ParkedBindingName, Subscriber } from './wire-subscribers.js';

/** Errors of all calls that name one: `SUBSCRIBER_NOT_FOUND`, also for one that has never run. */
export class Subscribers {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async list(options: CallOptions = {}): Promise<Subscriber[]> {
    const { items } = await this.#transport.read<{ items: Subscriber[] }>({ method: 'GET', path: '/v1/subscribers', options });
    return items;
  }

  async get(name: string, options: CallOptions = {}): Promise<Subscriber> {
    return this.#transport.read({ method: 'GET', path: path`/v1/subscribers/${name}`, options });
  }

  /** What it could not handle, by binding. */
  async parked(name: string, options: CallOptions = {}): Promise<ParkedBinding[]> {
    const call = { method: 'GET' as const, path: path`/v1/subscribers/${name}/parked`, options };
    return (await this.#transport.read<{ items: ParkedBinding[] }>(call)).items;
  }

  /**
   * Has parked events tried again, of one binding or of all. As with `skip` and `reset`, the instance that runs the subscriber
   * does it, and `requests` has it until then. Errors: `BINDING_NOT_FOUND` when nothing of the binding is parked.
   */
  async replay(name: string, binding?: ParkedBindingName, options: WriteOptions = {}): Promise<Subscriber> {
    return this.#post(path`/v1/subscribers/${name}/replay`, binding ?? {}, options);
  }

  /** Has the first parked event of a binding left out, and those behind it tried again. Errors: `VERSION_MISMATCH` when another is first. */
  async skip(name: string, binding: ParkedBindingName & { revision: number }, options: WriteOptions = {}): Promise<Subscriber> {
    return this.#post(path`/v1/subscribers/${name}/skip`, binding, options);
  }

  /** Has it go on from `start`, `now` or behind the position of an event; what is parked is forgotten. Errors: `POSITION_GONE`. */
  async reset(name: string, to: string, options: WriteOptions = {}): Promise<Subscriber> {
    return this.#post(path`/v1/subscribers/${name}/reset`, { to }, options);
  }

  #post(pathOfCall: string, body: object, options: WriteOptions): Promise<Subscriber> {
    return this.#transport.write({ method: 'POST', path: pathOfCall, body, options });
  }
}

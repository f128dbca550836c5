/** Changes of a backend itself: its description, and its secrets, which are stored before the event that names them. */
import {
  NO_SECRETS,
  decideChange,
  decideCredentialsRead,
  decideRegistration,
  evolveBackend,
  isBackendEvent,
  isRefusal,
  jsonEqual,
  refusalOfBackendId,
  refuse,
  replacesSecrets,
  asJson,
  type BackendCircumstances,
  type BackendDecision,
  type BackendEvent,
  type BackendState,
  type ChangeBackend,
  type JsonObject,
  type Refusal,
  type RegisterBackend,
  type RequestContext,
  type SchemaValidator,
  type SecretValues,
} from '#domain';
import type { EventStore } from '#event-store';
import type { Backends } from './backends.js';
import type { Catalog } from './catalog.js';
import { readControl, type ChangeOptions, type Folded } from './control-log.js';
import type { Secrets } from './secrets.js';

export interface Credentials {
  username: string | null;
  password: string | null;
  secrets: JsonObject;
}

export interface BackendChangesParts {
  store: EventStore;
  catalog: Catalog;
  backends: Backends;
  secrets: Secrets;
  validator: SchemaValidator;
  newId: () => string;
}

type State = BackendState | undefined;
type Decide = (state: State, circumstances: BackendCircumstances) => BackendDecision | Refusal;

/** A registration and its credentials. */
const MAX_REGISTRATION_EVENTS = 2;

export class BackendChanges {
  constructor(private readonly parts: BackendChangesParts) {}

  async register(
    command: RegisterBackend,
    context: RequestContext,
    options: ChangeOptions = {},
  ): Promise<BackendState | Refusal> {
    const misnamed = refusalOfBackendId(command.id);
    if (misnamed !== undefined) return misnamed;
    const decide: Decide = (state, circumstances) => decideRegistration(state, command, circumstances);
    const result = await this.decideAndStore(command.id, command.type, command, decide, context, options);
    if (!isRefusal(result)) return result.state;
    return result.refused === 'BACKEND_EXISTS' && options.key !== undefined
      ? ((await this.repeated(command, context, options.key)) ?? result)
      : result;
  }

  async change(
    id: string,
    command: ChangeBackend,
    context: RequestContext,
    options: ChangeOptions = {},
  ): Promise<{ state: BackendState; changed: boolean } | Refusal> {
    const before = await this.parts.backends.find(id);
    if (before === undefined) return refuse('BACKEND_NOT_FOUND', `there is no backend ${JSON.stringify(id)}`);
    const decide: Decide = (state, circumstances) => decideChange(state as BackendState, command, circumstances);
    return this.decideAndStore(id, before.type, command, decide, context, options);
  }

  async readCredentials(id: string, context: RequestContext, options: ChangeOptions = {}): Promise<Credentials | Refusal> {
    if ((await this.parts.backends.find(id)) === undefined)
      return refuse('BACKEND_NOT_FOUND', `there is no backend ${JSON.stringify(id)}`);
    const stream = await this.parts.backends.stream(id);
    let read: SecretValues = NO_SECRETS;
    const recorded = await stream.change(
      async (state, folded) => {
        const decision = decideCredentialsRead(state as BackendState);
        if (isRefusal(decision)) return decision;
        const secrets = await this.secretsAt(folded);
        if (secrets === 'again' || isRefusal(secrets)) return secrets;
        read = secrets;
        return decision;
      },
      context,
      options,
    );
    if (isRefusal(recorded)) return recorded;
    return { username: (recorded.state as BackendState).username, password: read.password, secrets: read.settings };
  }

  /** Decides at the stream's end, stores the secrets, appends. Secrets of attempts that came to nothing are forgotten, and so are those that were replaced. */
  private async decideAndStore(
    id: string,
    type: string,
    command: ChangeBackend,
    decide: Decide,
    context: RequestContext,
    options: ChangeOptions,
  ): Promise<{ state: BackendState; changed: boolean } | Refusal> {
    const { backends, secrets, catalog, validator, newId } = this.parts;
    const attempt: { stored?: string; replaces?: string | null } = {};
    const stream = await backends.stream(id);
    const result = await stream.change(
      async (state, folded) => {
        await this.forget(id, attempt.stored);
        attempt.stored = undefined;
        const known = await this.secretsFor(folded, command);
        if (known === 'again' || isRefusal(known)) return known;
        const newSecretVersion = newId();
        const decision = decide(state, { validator, type: await catalog.type(type), secrets: known, newSecretVersion });
        if (isRefusal(decision)) return decision;
        attempt.replaces = decision.secrets === undefined ? null : state?.secretVersion;
        if (decision.secrets === undefined || decision.secrets === null) return decision.events;
        attempt.stored = newSecretVersion;
        return (await secrets.store({ backend: id, version: newSecretVersion }, decision.secrets)) ?? decision.events;
      },
      context,
      options,
    );
    await this.forget(id, isRefusal(result) ? attempt.stored : attempt.replaces);
    return isRefusal(result) ? result : { state: result.state as BackendState, changed: result.appended.length > 0 };
  }

  private async forget(backend: string, version: string | null | undefined): Promise<void> {
    if (version !== undefined && version !== null) await this.parts.secrets.forget({ backend, version });
  }

  /** The secrets that the command builds on. Secrets that cannot be read, since their key is lost, can still be replaced by all new ones. */
  private async secretsFor(folded: Folded<State>, command: ChangeBackend): Promise<SecretValues | Refusal | 'again'> {
    if (command.password === undefined && command.settings === undefined) return NO_SECRETS;
    const known = await this.secretsAt(folded);
    const lost = known !== 'again' && isRefusal(known) && folded.state !== undefined && replacesSecrets(folded.state, command);
    return lost ? NO_SECRETS : known;
  }

  /** The secrets at a revision. `again`: they were replaced meanwhile, so the revision is not the newest any more. */
  private async secretsAt({ state, revision }: Folded<State>): Promise<SecretValues | Refusal | 'again'> {
    if (state === undefined || state.secretVersion === null) return NO_SECRETS;
    const secrets = await this.parts.secrets.read({ backend: state.id, version: state.secretVersion });
    if (secrets !== undefined) return secrets;
    const now = await (await this.parts.backends.stream(state.id)).current();
    return now.revision > revision
      ? 'again'
      : refuse('STORE_UNAVAILABLE', `the secrets of backend ${JSON.stringify(state.id)} are not in the vault any more`);
  }

  /** The first answer again, when the backend was registered by the same request; the secrets are not compared. */
  private async repeated(
    command: RegisterBackend,
    context: RequestContext,
    key: string,
  ): Promise<BackendState | Refusal | undefined> {
    const { store, backends, catalog, validator } = this.parts;
    const stream = await backends.stream(command.id);
    const page = await store.readStream(stream.name, { limit: MAX_REGISTRATION_EVENTS });
    const events = page
      .map((recorded) => readControl<BackendEvent>(recorded, isBackendEvent))
      .filter(({ metadata }) => metadata.idempotency?.key === key && metadata.actor === context.actor);
    if (events.length === 0) return undefined;
    const decision = decideRegistration(undefined, command, {
      validator,
      type: await catalog.type(command.type),
      secrets: NO_SECRETS,
      newSecretVersion: '',
    });
    const same = !isRefusal(decision) && jsonEqual(asJson(decision.events[0]?.data ?? {}), asJson(events[0]?.data ?? {}));
    if (!same) return refuse('IDEMPOTENCY_KEY_REUSED', 'the same idempotency key came with another request');
    return events.reduce<State>(
      (state, event) => evolveBackend(state, event, { revision: event.revision, at: event.metadata.at }),
      undefined,
    );
  }
}

/** Changes of a backend itself: its description, and its secrets, which are stored before the event that names them. */
import {
  NO_SECRETS,
  decideChange,
  decideCredentialsRead,
  decideRegistration,
  isRefusal,
  refusalOfBackendId,
  refuse,
  replacesSecrets,
  secretNamesIn,
  secretPathsKept,
  splitSecrets,
  type BackendCircumstances,
  type BackendDecision,
  type BackendState,
  type ChangeBackend,
  type JsonObject,
  type Refusal,
  type RegisterBackend,
  type RequestContext,
  type SchemaValidator,
  type SecretValues,
} from '#domain';
import type { Backends } from './backends.js';
import type { Catalog } from './catalog.js';
import { keyed, type ChangeOptions, type KeyedOptions } from './control-keys.js';
import type { Folded } from './control-log.js';
import type { Secrets } from './secrets.js';

export interface Credentials {
  username: string | null;
  password: string | null;
  secrets: JsonObject;
}

export interface BackendChangesParts {
  catalog: Catalog;
  backends: Backends;
  secrets: Secrets;
  validator: SchemaValidator;
  newId: () => string;
}

type State = BackendState | undefined;
type Decide = (state: State, circumstances: BackendCircumstances) => BackendDecision | Refusal;

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
    const asked = keyed(options, 'register', await this.withoutSecrets(command.type, [], command));
    const result = await this.decideAndStore(command.id, command.type, command, decide, context, asked);
    return isRefusal(result) ? result : result.state;
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
    const asked = keyed(options, 'change', await this.withoutSecrets(before.type, before.secretNames, command));
    return this.decideAndStore(id, before.type, command, decide, context, asked);
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
      { reason: options.reason },
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
    options: KeyedOptions,
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
    const nothingDone = isRefusal(result) || result.repeats !== undefined;
    await this.forget(id, nothingDone ? attempt.stored : attempt.replaces);
    if (isRefusal(result)) return result;
    if (result.repeats !== undefined)
      return { state: (await stream.momentOf(result.repeats)).state as BackendState, changed: true };
    return { state: result.state as BackendState, changed: result.appended.length > 0 };
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

  /** What a request is known again by: of its secrets only that they are given. */
  private async withoutSecrets(type: string, heldNames: readonly string[], command: ChangeBackend): Promise<object> {
    const { password, settings, ...rest } = command;
    const given = password === undefined || password === null ? password : true;
    if (settings === undefined) return { ...rest, password: given };
    const definition = await this.parts.catalog.type(type);
    const paths = secretPathsKept(definition?.settingsSchema ?? null, heldNames);
    const { open, secret } = splitSecrets(settings, paths);
    return { ...rest, password: given, settings: open, secrets: secretNamesIn(secret, paths) };
  }
}

/**
 * Secrets of backends at rest: AES-256-GCM, in the vault, outside of the event log. Backend and version are associated data,
 * so that a secret does not open as that of another backend or as a newer one. The key comes from `LEDGER_SECRET_KEY`.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { refuse, type Refusal, type SecretValues } from '#domain';
import type { Vault, VaultKey } from '#vault';

export const SECRET_KEY_VARIABLE = 'LEDGER_SECRET_KEY';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const MAX_KEYS = 16;
const KIND = 'secret';
const FORMAT = 'v1';

/** Names a stored secret: the backend, and the version that its newest `CredentialsChanged` tells. */
export interface SecretName {
  backend: string;
  version: string;
}

/** The keys: the first one encrypts, all of them decrypt, so that a new key can be put in front of an old one. */
export class KeyRing {
  private constructor(private readonly keys: readonly { id: string; key: Buffer }[]) {}

  /**
   * @param text keys of 32 bytes as base64 or hex, separated by commas; nothing means that there is no key.
   * @throws when a key is malformed; the message never quotes it.
   */
  static parse(text: string | undefined): KeyRing {
    const parts = (text ?? '').split(',').map((part) => part.trim());
    if (parts.length === 1 && parts[0] === '') return new KeyRing([]);
    if (parts.length > MAX_KEYS) throw new Error(`${SECRET_KEY_VARIABLE} has more than ${MAX_KEYS} keys`);
    return new KeyRing(parts.map((part, index) => keyFrom(part, index + 1)));
  }

  get empty(): boolean {
    return this.keys.length === 0;
  }

  get current(): { id: string; key: Buffer } | undefined {
    return this.keys[0];
  }

  find(id: string): Buffer | undefined {
    return this.keys.find((each) => each.id === id)?.key;
  }
}

function keyFrom(text: string, place: number): { id: string; key: Buffer } {
  const encoding = /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64';
  const key = /^[0-9a-z+/_-]+=*$/i.test(text) ? Buffer.from(text, encoding) : Buffer.alloc(0);
  if (key.length !== KEY_BYTES)
    throw new Error(`${SECRET_KEY_VARIABLE}: key ${place} is not ${KEY_BYTES} bytes as base64 or hex`);
  return { id: createHash('sha256').update('binding-ledger key id\n').update(key).digest('hex').slice(0, 12), key };
}

export class Secrets {
  constructor(
    private readonly vault: Vault,
    private readonly keys: KeyRing,
  ) {}

  /** Resolves when the secret would survive a loss of power: only then may an event name it. */
  async store(name: SecretName, values: SecretValues): Promise<Refusal | undefined> {
    const { current } = this.keys;
    if (current === undefined) {
      const detail = `${SECRET_KEY_VARIABLE} is not set, so this ledger stores no passwords and no secret settings: set it to 32 random bytes as base64 and start again`;
      return refuse('INVALID_SETTINGS', detail);
    }
    await this.vault.put(keyOf(name), seal(JSON.stringify(values), name, current));
    return undefined;
  }

  /** `undefined`: it is not there any more, because newer ones took its place. */
  async read(name: SecretName): Promise<SecretValues | Refusal | undefined> {
    const document = await this.vault.get(keyOf(name));
    if (document === undefined) return undefined;
    const [format, keyId = '', ...parts] = document.content.split('.');
    const key = this.keys.find(keyId);
    if (format !== FORMAT) return unreadable(name, `are stored in a form that this version does not know (${format})`);
    if (key === undefined) return unreadable(name, `were encrypted with key ${keyId}, which is not in ${SECRET_KEY_VARIABLE}`);
    const text = unseal(parts, name, keyId, key);
    return text === undefined
      ? unreadable(name, 'do not decrypt: they were damaged, or moved from another backend')
      : (JSON.parse(text) as SecretValues);
  }

  async forget({ backend, version }: SecretName): Promise<void> {
    await this.vault.delete({ kind: KIND, id: backend, version });
  }

  async forgetAll(backend: string): Promise<void> {
    await this.vault.deleteAll(KIND, backend);
  }
}

function keyOf({ backend, version }: SecretName): VaultKey {
  return { kind: KIND, id: backend, version };
}

function unreadable({ backend }: SecretName, why: string): Refusal {
  return refuse('STORE_UNAVAILABLE', `the secrets of backend ${JSON.stringify(backend)} ${why}`);
}

function seal(text: string, name: SecretName, { id, key }: { id: string; key: Buffer }): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associatedData(name, id));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return [FORMAT, id, iv.toString('base64url'), sealed.toString('base64url')].join('.');
}

function unseal([iv = '', sealed = '']: string[], name: SecretName, keyId: string, key: Buffer): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedData(name, keyId)).setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

/** Names and versions have no line feeds, so no two of them are the same bytes. */
function associatedData({ backend, version }: SecretName, keyId: string): Buffer {
  return Buffer.from([FORMAT, keyId, backend, version].join('\n'));
}

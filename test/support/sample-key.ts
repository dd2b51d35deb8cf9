import { crc32 } from 'node:zlib';
import { generateKey, type ApiKeyFormat } from '../../src/api-key/api-key-format.js';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import type { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyDigester } from '../../src/api-key/key-digest.js';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export const FORMAT: ApiKeyFormat = { prefix: 'kf', environment: 'live' };

/** The defaults that the module would make. */
export const API_KEY_DEFAULTS: ApiKeyOptions = {
  header: 'x-api-key',
  bearer: false,
  format: FORMAT,
  digester: new KeyDigester(),
  exposeKeyToHandlers: false,
  invalidKey: 'reject',
  missingKey: 'defer',
  allowInMemoryStore: false,
  clientAddress: () => undefined,
};

/** Fields of a record, of the right type or, for hostile records, of any. */
export type RecordFields = Partial<Record<keyof ApiKeyRecord, unknown>>;

export interface SampleKey {
  readonly text: string;
  readonly record: ApiKeyRecord;
}

/** A new key and a sound record of it, of tenant `acme` with `files:read`, but for the fields given. */
export function sampleKey(fields: RecordFields = {}, format: ApiKeyFormat = FORMAT): SampleKey {
  const { text, locator } = generateKey(format);
  const record = {
    id: `key_${locator}`,
    locator,
    tenantId: 'acme',
    name: 'sample',
    digest: new KeyDigester().digest(text),
    digestVersion: 'sha256',
    scopes: ['files:read'],
    environment: format.environment,
    createdAt: new Date(0),
    lineageId: `key_${locator}`,
    version: 1,
    ...fields,
  };
  return { text, record: record as unknown as ApiKeyRecord };
}

/** The same, put into a store; gives the text. */
export async function storedKey(store: InMemoryApiKeyStore, fields: RecordFields = {}): Promise<string> {
  const { text, record } = sampleKey(fields);
  await store.insert(record);
  return text;
}

/** The key with its last character replaced by another of the alphabet: the outer shape holds, the checksum does not. */
export function withWrongChecksum(text: string): string {
  return text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
}

/** A well-formed key with this label, id and secret, its checksum made here and not by the code under test. */
export function composeKey({ label = 'kflive', id = '0123456789abcdef', secret = 'A'.repeat(37) } = {}): string {
  const body = `${label}_${id}_${secret}`;
  let checksum = '';
  for (let rest = crc32(body), left = 6; left > 0; left -= 1, rest = Math.floor(rest / 62)) {
    checksum = BASE62.charAt(rest % 62) + checksum;
  }
  return body + checksum;
}

/** Another key with the same id and a right checksum: the store finds the record, and the secret is wrong. */
export function withWrongSecret(text: string): string {
  const [label, id] = text.split('_');
  return composeKey({ label, id });
}

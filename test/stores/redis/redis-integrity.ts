import type { Redis } from 'ioredis';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { ACME } from './records.js';

/**
 * What does not fit together in what is stored of tenant `acme`: rotations of which only a half is there, and index entries
 * without their record or the reverse. An empty list is a sound store.
 */
export async function faultsOf(store: RedisApiKeyStore, raw: Redis, keyPrefix: string): Promise<string[]> {
  const records = await allOf(store);
  const byId = new Map(records.map((record) => [record.id, record]));
  const successors = new Set(records.flatMap(({ rotatedTo }) => rotatedTo ?? []));
  const faults: string[] = [];
  for (const record of records) {
    const { id, locator, rotatedTo, lineageId, version } = record;
    const found = await store.findByLocator(locator);
    if (found?.id !== id) faults.push(`${id} is not found by its locator`);
    if (rotatedTo !== undefined && !byId.has(rotatedTo))
      faults.push(`${id} was replaced by ${rotatedTo}, which is not there`);
    if (lineageId !== id && !successors.has(id)) faults.push(`${id} replaces a key that does not say so`);
    const changes = Number(rotatedTo !== undefined) + Number(record.revokedAt !== undefined);
    if (version !== 1 + changes) faults.push(`${id} has version ${version} after ${changes} changes`);
  }
  const namesOf = async (kind: string): Promise<string[]> => {
    const keys = await raw.keys(`${keyPrefix.replace(/[[\]*?]/g, '\\$&')}${kind}:*`);
    return keys.map((key) => key.slice(keyPrefix.length + kind.length + 1)).sort();
  };
  const expect = (what: string, actual: readonly string[], expected: readonly string[]): void => {
    if (actual.join() !== [...expected].sort().join()) faults.push(`${what}: ${actual.length} and ${expected.length}`);
  };
  expect(
    'records',
    await namesOf('key'),
    records.map(({ locator }) => locator),
  );
  expect(
    'ids',
    await namesOf('id'),
    records.map(({ id }) => id),
  );
  const ends = await raw.zrange(`${keyPrefix}ends`, 0, '-1');
  expect(
    'ends',
    ends.sort(),
    records.filter(hasEnd).map(({ locator }) => locator),
  );
  return faults;
}

export async function allOf(store: RedisApiKeyStore): Promise<ApiKeyRecord[]> {
  const records: ApiKeyRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(ACME, { limit: 200, includeRevoked: true, cursor });
    records.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return records;
}

function hasEnd({ revokedAt, expiresAt, graceEndsAt }: ApiKeyRecord): boolean {
  return [revokedAt, expiresAt, graceEndsAt].some((end) => end !== undefined);
}

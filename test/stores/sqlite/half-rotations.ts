import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';

/** What is wrong with the rotations in a list that holds all keys: empty if each was done as a whole. */
export function halfRotations(records: readonly ApiKeyRecord[]): string[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  const predecessors = new Map<string, string[]>();
  for (const { id, rotatedTo } of records) {
    if (rotatedTo !== undefined) predecessors.set(rotatedTo, [...(predecessors.get(rotatedTo) ?? []), id]);
  }
  return records.flatMap(({ id, lineageId, rotatedTo, version }) => [
    ...(rotatedTo !== undefined && !byId.has(rotatedTo) ? [`${id} was replaced by a key that is not there`] : []),
    ...(rotatedTo !== undefined && version < 2 ? [`${id} was replaced without a new version`] : []),
    // The first key of a lineage has its name; every other one replaced exactly one.
    ...(id !== lineageId && predecessors.get(id)?.length !== 1 ? [`${id} replaced no key, or several`] : []),
  ]);
}

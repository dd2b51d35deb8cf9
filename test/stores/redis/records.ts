import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { sampleKey, type RecordFields } from '../../support/sample-key.js';

export const ACME = 'acme' as TenantId;

/** A sound record of tenant `acme` with an id and a locator of its own. */
export function newRecord(fields: RecordFields = {}): ApiKeyRecord {
  return sampleKey({ createdAt: new Date(), ...fields }).record;
}

/** What `rotate` takes. */
export function rotation(old: ApiKeyRecord): readonly [old: ApiKeyRecord, successor: ApiKeyRecord] {
  const successor = newRecord({ lineageId: old.lineageId });
  const replaced = { ...old, rotatedTo: successor.id, graceEndsAt: new Date(Date.now() + 60_000) };
  return [{ ...replaced, version: old.version + 1 }, successor];
}

/** Resolves when the condition holds; rejects after the time, naming what was waited for. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeout = 10_000): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

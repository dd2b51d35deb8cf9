// A process of its own that works on a store: built and started by sqlite-processes.ts. It says what it has done on its standard
// output, one JSON text a line, and starts when a line arrives on its standard input.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import { SqliteApiKeyStore, type SqliteDriverName } from '../../../src/stores/sqlite/index.js';
import { sampleKey } from '../../support/sample-key.js';
import type { Said } from './sqlite-processes.js';

const ROTATIONS = 10;

const [job, path = '', driver, ...parameters] = process.argv.slice(2);

/** At once, past any buffer: what was said must be out before the process is killed. */
function say(said: Said): void {
  writeSync(1, `${JSON.stringify(said)}\n`);
}

async function started(): Promise<void> {
  say({ did: 'ready' });
  await once(process.stdin, 'data');
}

function open(): Promise<SqliteApiKeyStore> {
  return SqliteApiKeyStore.open(path, { driver: driver as SqliteDriverName });
}

function successorOf(old: ApiKeyRecord): { old: ApiKeyRecord; successor: ApiKeyRecord } {
  const { record } = sampleKey({ lineageId: old.lineageId, createdAt: new Date() });
  const end = { rotatedTo: record.id, graceEndsAt: new Date(), version: old.version + 1 };
  return { old: { ...old, ...end }, successor: record };
}

/** Everything that a store writes, over and over, until the process is killed. */
async function churn(): Promise<void> {
  const store = await open();
  await started();
  for (;;) {
    const { record } = sampleKey({ createdAt: new Date() });
    await store.insert(record);
    let newest = record;
    // Mostly rotations: they are what could be half done.
    for (let step = 0; step < ROTATIONS; step += 1) {
      const { old, successor } = successorOf(newest);
      if (await store.rotate(old, successor)) say({ did: 'rotated', id: old.id, to: successor.id });
      newest = successor;
    }
    const at = new Date();
    await store.recordUses([record, newest].map(({ id }) => ({ id, at })));
    say({ did: 'used', id: record.id, at: at.getTime() });
    const change = { id: newest.id, from: newest.digest, digest: 'f'.repeat(64), digestVersion: 'sha256' };
    await store.replaceDigests([change]);
    const revoked = await store.revoke(record.tenantId, record.id, at);
    if (revoked !== null) say({ did: 'revoked', id: record.id });
  }
}

/** Rotates the keys with these ids, one for each line that arrives: other processes rotate the same one then. */
async function rotate(ids: readonly string[]): Promise<void> {
  const store = await open();
  const olds = await Promise.all(ids.map((id) => store.findById(sampleKey().record.tenantId, id)));
  const rest = olds.values();
  const lines = createInterface(process.stdin);
  say({ did: 'ready' });
  for await (const line of lines) {
    const record = rest.next().value;
    if (line !== 'begin' || record === undefined || record === null) throw new Error('There is no such key.');
    const { old, successor } = successorOf(record);
    if (await store.rotate(old, successor)) say({ did: 'rotated', id: old.id, to: successor.id });
    say({ did: 'finished' });
  }
}

async function openOnce(): Promise<void> {
  await started();
  const store = await open();
  say({ did: 'finished' });
  store.close();
  process.exit(0);
}

if (job === 'churn') await churn();
if (job === 'rotate') await rotate(parameters);
if (job === 'open') await openOnce();

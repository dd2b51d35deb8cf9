/**
 * A process of its own that uses a store, for tests that end it at any moment. Arguments: what to do, the connection string,
 * and what that needs. It prints one line of JSON for each thing that the store has acknowledged.
 */
import pg from 'pg';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import { PostgresApiKeyStore } from '../../../src/stores/postgres/index.js';

const [what = '', connectionString = '', name = '', count = '0'] = process.argv.slice(1);
const pool = new pg.Pool({ connectionString, max: 4 });

function recordOf(id: string, lineageId = id): ApiKeyRecord {
  const record = {
    id,
    locator: `locator-${id}`,
    tenantId: 'acme',
    name: id,
    digest: 'a'.repeat(64),
    digestVersion: 'sha256',
    scopes: ['files:read'],
    environment: 'live',
    createdAt: new Date(0),
    lineageId,
    version: 1,
  };
  return record as unknown as ApiKeyRecord;
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function replaced(old: ApiKeyRecord, successor: ApiKeyRecord): ApiKeyRecord {
  return { ...old, rotatedTo: successor.id, graceEndsAt: new Date(9), version: old.version + 1 };
}

/** Rotates `key_0` to `key_<count - 1>`, as another process does at the same time. */
async function rotateAll(store: PostgresApiKeyStore): Promise<void> {
  say('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  for (let index = 0; index < Number(count); index += 1) {
    const successor = recordOf(`key_${index}_by_${name}`, `key_${index}`);
    say({ index, rotated: await store.rotate(replaced(recordOf(`key_${index}`), successor), successor) });
  }
  await pool.end();
  process.exit(0);
}

/** Makes, uses, rotates and revokes keys until it is killed. */
async function storm(store: PostgresApiKeyStore, worker: number): Promise<void> {
  for (let index = 0; ; index += 1) {
    const old = recordOf(`${name}_${worker}_${index}`);
    const successor = recordOf(`${old.id}_next`, old.id);
    if (!(await store.insert(old))) throw new Error('An id is taken.');
    await store.recordUses([{ id: old.id, at: new Date(index + 1) }]);
    say({ used: old.id });
    if (!(await store.rotate(replaced(old, successor), successor))) throw new Error('Not rotated.');
    say({ rotated: old.id });
    await store.revoke(successor.tenantId, successor.id, new Date(5));
    say({ revoked: successor.id });
  }
}

/** Holds an idle connection, with a store on the pool or without, and has the server end it. */
async function idle(): Promise<void> {
  if (name === 'with-store') new PostgresApiKeyStore(pool);
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  const other = new pg.Client({ connectionString });
  await other.connect();
  await other.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  while (pool.totalCount > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await other.end();
  say('alive');
}

const keysOf = (): PostgresApiKeyStore => new PostgresApiKeyStore(pool, { table: 'keys' });

switch (what) {
  case 'rotate':
    await rotateAll(keysOf());
    break;
  case 'storm':
    await Promise.all([0, 1, 2, 3].map((worker) => storm(keysOf(), worker)));
    break;
  case 'migrate':
    say(await keysOf().migrate());
    await pool.end();
    break;
  case 'idle':
    await idle();
    await pool.end();
    break;
  default:
    throw new Error(`There is no "${what}".`);
}

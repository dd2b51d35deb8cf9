import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { apiKey } from '@better-auth/api-key';
import { betterAuth, type BetterAuthOptions } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { getMigrations } from 'better-auth/db/migration';
import { InMemoryApiKeyStore, type ManagedApiKeyStore } from 'nestjs-keyfence';
import { SqliteApiKeyStore } from './internals.js';
import { KeyServices, requestWith } from './key-services.js';
import { addKeys } from './keys.js';
import { cpuOf, interleave, spreadOf } from './measure.js';
import { judgedAtLeast, type Report, type Row } from './report.js';

/** Few, in its favour: its memory adapter looks at one key after the other. */
const KEYS = 10;
const ROUNDS = 30;
const WARM_UP_ROUNDS = 8;
/** Calls in a round: what is fast needs more of them to be measured at all. */
const CALLS = { ours: 2_000, theirs: 100 } as const;
const LIMIT = 50;

type Verify = () => Promise<void>;

/** Verification beside that of `@better-auth/api-key`, in memory and on SQLite. */
export async function measureBetterAuth(report: Report): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'keyfence-bench-'));
  try {
    const rows = [...(await inMemory()), ...(await onSqlite(directory))];
    report.table({
      part: 'better-auth',
      title: 'better-auth: ApiKeyAuthenticator.authenticate() against auth.api.verifyApiKey() of @better-auth/api-key',
      notes: [
        `CPU microseconds a verify of a valid key, ${KEYS} keys, ${ROUNDS} interleaved rounds. Its settings: storage "database",`,
        'keys hashed, rateLimit.enabled false (by default a key is denied after 10 verifies in a day), telemetry and logs off,',
        'all else by default: it writes lastRequest and updatedAt before it answers. Ours notes uses and writes them later.',
        'The ratio is how many times our cost its verify costs, by p10.',
      ],
      rows,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function inMemory(): Promise<Row[]> {
  const theirs = await verifierOfBetterAuth({
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], apikey: [] }),
  });
  return compare('memory', new InMemoryApiKeyStore(), theirs);
}

async function onSqlite(directory: string): Promise<Row[]> {
  const { database, driver } = openForBetterAuth(join(directory, 'better-auth.db'));
  const store = await SqliteApiKeyStore.open(join(directory, 'keyfence.db'), { driver });
  try {
    // It tells databases by their members, and takes that of libsql, which has a "db", for a configuration.
    const shown =
      driver === 'libsql'
        ? { aggregate: true, prepare: (sql: string) => database.prepare(sql), close: () => database.close() }
        : database;
    const options = { database: shown } as BetterAuthOptions;
    await (await getMigrations(optionsOf(options))).runMigrations();
    return await compare(`SQLite (${driver})`, store, await verifierOfBetterAuth(options));
  } finally {
    store.close();
    database.close();
  }
}

interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): unknown;
  close(): unknown;
}

/** The same driver for both, and the same mode of writing: what `SqliteApiKeyStore` sets for its own file. */
function openForBetterAuth(path: string): { readonly database: Database; readonly driver: 'node:sqlite' | 'libsql' } {
  const driver = process.getBuiltinModule('node:sqlite') === undefined ? 'libsql' : 'node:sqlite';
  const required: unknown = createRequire(import.meta.url)(driver);
  const Database = (driver === 'libsql' ? required : (required as { DatabaseSync: unknown }).DatabaseSync) as new (
    path: string,
  ) => Database;
  const database = new Database(path);
  database.exec('PRAGMA journal_mode = WAL');
  return { database, driver };
}

async function compare(where: string, store: ManagedApiKeyStore, theirs: Verify): Promise<Row[]> {
  const texts = await addKeys(store, KEYS);
  const cached = verifierOf(new KeyServices({ store }), texts);
  const uncached = verifierOf(new KeyServices({ store, cache: false }), texts);
  const cost = async (verify: Verify, calls: number) =>
    (await cpuOf(async () => {
      for (let call = 0; call < calls; call += 1) await verify();
    })) / calls;
  const variants = {
    cached: () => cost(cached, CALLS.ours),
    uncached: () => cost(uncached, CALLS.ours),
    theirs: () => cost(theirs, CALLS.theirs),
  };
  await interleave(variants, WARM_UP_ROUNDS);
  const samples = await interleave(variants, ROUNDS);
  const their = spreadOf(samples.theirs);
  return (['cached', 'uncached'] as const).map((name) => {
    const own = spreadOf(samples[name]);
    return {
      store: where,
      keyfence: name,
      us: own.median,
      p10: own.p10,
      'better-auth us': their.median,
      'its p10': their.p10,
      'times, by median': their.median / own.median,
      ...judgedAtLeast('times', their.p10 / own.p10, LIMIT),
    };
  });
}

function verifierOf({ authenticator }: KeyServices, texts: readonly string[]): Verify {
  const requests = texts.map(requestWith);
  let next = 0;
  return async () => {
    const request = requests[(next += 1) % requests.length] ?? requestWith('');
    const { status } = await authenticator.authenticate(request, request);
    if (status !== 'authenticated') throw new Error(`A key of ours was answered '${status}'.`);
  };
}

function optionsOf(options: BetterAuthOptions) {
  return {
    ...options,
    baseURL: 'http://localhost:3000',
    secret: randomBytes(32).toString('hex'),
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [apiKey({ rateLimit: { enabled: false } })],
  };
}

async function verifierOfBetterAuth(options: BetterAuthOptions): Promise<Verify> {
  const auth = betterAuth(optionsOf(options));
  const { internalAdapter } = await auth.$context;
  const { id: userId } = await internalAdapter.createUser(
    { email: 'a@example.com', name: 'a', emailVerified: true },
    { method: 'email' },
  );
  const keys: string[] = [];
  for (let index = 0; index < KEYS; index += 1) keys.push((await auth.api.createApiKey({ body: { userId } })).key);
  let next = 0;
  return async () => {
    const { valid, error } = await auth.api.verifyApiKey({ body: { key: keys[(next += 1) % keys.length] ?? '' } });
    if (!valid) throw new Error(`A key of better-auth was refused: ${JSON.stringify(error)}`);
  };
}

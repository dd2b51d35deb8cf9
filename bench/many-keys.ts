import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManagedApiKeyStore } from 'nestjs-keyfence';
import { loadSqliteDriver, PostgresApiKeyStore, SqliteApiKeyStore } from './internals.js';
import { KeyServices, requestWith, type BenchRequest } from './key-services.js';
import { addKeys } from './keys.js';
import { cpuOf, interleave, spreadOf } from './measure.js';
import { judged, type Report, type Row } from './report.js';
import { startPostgres } from './services.js';

const FEW = 1_000;
const MANY = 1_000_000;
/** Keys whose text is known at most, spread over all the others: so many that a round of many keys meets none again. */
const KNOWN = 20_000;
const CHUNK = 100_000;
const CALLS = 500;
const ROUNDS = 40;
const WARM_UP_ROUNDS = 6;
const LIMIT = 1.5;

/** What a verify costs that no cache answers, by how many keys there are. */
export async function measureManyKeys(report: Report): Promise<void> {
  report.table({
    part: 'many-keys',
    title: `many-keys: a verify without cache among ${FEW.toLocaleString('en')} keys and among ${MANY.toLocaleString('en')}`,
    notes: [
      `Valid keys one after the other, of the many ${KNOWN.toLocaleString('en')} that are spread over all; ${ROUNDS} interleaved rounds of ${CALLS} calls. Waited: what`,
      'passes until the answer, in microseconds; the server of PostgreSQL works in it. CPU: of this process alone, SQLite included.',
    ],
    rows: [...(await inSqlite()), ...(await inPostgres())],
  });
}

/** Adds keys that nobody knows, with random digests, in the database itself. */
type AddUnknown = (count: number) => Promise<void>;

async function inSqlite(): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'keyfence-bench-'));
  const open = await loadSqliteDriver();
  const closing: (() => void)[] = [];
  const make = async (name: string, total: number) => {
    const path = join(directory, name);
    const store = await SqliteApiKeyStore.open(path);
    const connection = open(path);
    closing.push(
      () => {
        connection.close();
      },
      () => {
        store.close();
      },
    );
    // Only while it is filled.
    connection.exec('PRAGMA synchronous = OFF');
    const addUnknown = (count: number): Promise<void> => {
      connection.exec(sqliteRows(count));
      return Promise.resolve();
    };
    return { store, texts: await fill('SQLite', store, total, addUnknown) };
  };
  try {
    return await compare('SQLite', await make('few.db', FEW), await make('many.db', MANY));
  } finally {
    for (const close of closing) close();
    rmSync(directory, { recursive: true });
  }
}

async function inPostgres(): Promise<Row[]> {
  const server = await startPostgres();
  if (server === undefined) return [];
  const make = async (total: number) => {
    const pool = (await server.createDatabase()).createPool({ max: 1 });
    const store = new PostgresApiKeyStore(pool);
    await store.migrate();
    const texts = await fill('PostgreSQL', store, total, async (count) => {
      await pool.query(postgresRows(count));
    });
    await pool.query('vacuum analyze');
    return { store, texts };
  };
  try {
    return await compare('PostgreSQL', await make(FEW), await make(MANY));
  } finally {
    await server.dispose();
  }
}

/** Known keys and others in turn. */
async function fill(name: string, store: ManagedApiKeyStore, total: number, addUnknown: AddUnknown): Promise<string[]> {
  const texts: string[] = [];
  const known = Math.min(KNOWN, total);
  const others = total - known;
  const chunks = Math.max(1, Math.ceil(others / CHUNK));
  const started = performance.now();
  for (let chunk = 1; chunk <= chunks; chunk += 1) {
    texts.push(...(await addKeys(store, Math.ceil((known * chunk) / chunks) - texts.length)));
    await addUnknown(Math.ceil((others * chunk) / chunks) - Math.ceil((others * (chunk - 1)) / chunks));
    const seconds = Math.round((performance.now() - started) / 1_000);
    const done = Math.ceil((total * chunk) / chunks).toLocaleString('en');
    if (chunks > 1) process.stderr.write(`many-keys: ${name} has ${done} keys after ${seconds} s\n`);
  }
  return texts;
}

interface Filled {
  readonly store: ManagedApiKeyStore;
  readonly texts: readonly string[];
}

async function compare(name: string, few: Filled, many: Filled): Promise<Row[]> {
  const [fewCpu, manyCpu]: [number[], number[]] = [[], []];
  const roundOf = ({ store, texts }: Filled, cpu: number[]) => {
    const { authenticator } = new KeyServices({ store, cache: false });
    const requests = texts.map(requestWith);
    let next = 0;
    const verify = async (request: BenchRequest | undefined) => {
      if (request === undefined) return;
      const { status } = await authenticator.authenticate(request, request);
      if (status !== 'authenticated') throw new Error(`A key was answered '${status}'.`);
    };
    return async () => {
      const start = performance.now();
      const used = await cpuOf(async () => {
        for (let call = 0; call < CALLS; call += 1) await verify(requests[(next += 1) % requests.length]);
      });
      cpu.push(used / CALLS);
      return ((performance.now() - start) * 1_000) / CALLS;
    };
  };
  const variants = { few: roundOf(few, fewCpu), many: roundOf(many, manyCpu) };
  await interleave(variants, WARM_UP_ROUNDS);
  fewCpu.length = 0;
  manyCpu.length = 0;
  const samples = await interleave(variants, ROUNDS);
  const row = (what: string, ofFew: readonly number[], ofMany: readonly number[]): Row => {
    const [small, large] = [spreadOf(ofFew), spreadOf(ofMany)];
    return {
      store: name,
      microseconds: what,
      few: small.median,
      'its p10': small.p10,
      many: large.median,
      p10: large.p10,
      'by median': large.median / small.median,
      ...judged('by p10', large.p10 / small.p10, LIMIT),
    };
  };
  return [row('waited', samples.few, samples.many), row('CPU', fewCpu, manyCpu)];
}

function sqliteRows(count: number): string {
  if (count === 0) return 'SELECT 1';
  return `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count}),
    made AS MATERIALIZED (SELECT lower(hex(randomblob(12))) AS id, n FROM numbers)
    INSERT INTO keyfence_api_keys
      (id, locator, tenant_id, name, digest, digest_version, scopes, environment, created_at, lineage_id, version)
    SELECT 'key_' || id, lower(hex(randomblob(8))), 'tenant-' || (n % 1000), 'other', lower(hex(randomblob(32))), 'sha256',
      '["files:read","files:write","reports:read"]', 'live', 1700000000000 + n, 'key_' || id, 1 FROM made`;
}

function postgresRows(count: number): string {
  return `insert into keyfence_api_keys
      (id, locator, tenant_id, name, digest, digest_version, scopes, environment, created_at, lineage_id, version)
    select 'key_' || id, substr(md5(random()::text), 1, 16), 'tenant-' || (n % 1000), 'other',
      md5(random()::text) || md5(random()::text), 'sha256', '{files:read,files:write,reports:read}', 'live',
      to_timestamp(1700000000) + n * interval '1 millisecond', 'key_' || id, 1
    from (select n, substr(md5(random()::text), 1, 24) as id from generate_series(1, ${count}) as n) as made`;
}

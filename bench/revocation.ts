import { Child } from './child.js';
import { PostgresApiKeyStore } from './internals.js';
import { KeyServices } from './key-services.js';
import { quantile } from './measure.js';
import { judged, type Report, type Row } from './report.js';
import { connect, machineTime, type Denial } from './revocation-process.js';
import { startPostgres, startRedis } from './services.js';

const PROCESSES = 3;
const REVOCATIONS = 250;
const TTL_MS = 1_000;
/** Of the revocations without a bus: over more than one life of an entry, so that they fall on every age of one. */
const SPREAD_MS = 3_000;
const TENANT = 'acme';

interface Server {
  readonly kind: 'redis' | 'postgres';
  readonly url: string;
}

interface Revocation {
  readonly revokedAt: number;
  readonly denials: readonly Denial[];
}

/** How long a revoked key works on in other processes that have it in their cache. */
export async function measureRevocation(report: Report): Promise<void> {
  const rows: Row[] = [];
  const redis = await startRedis();
  if (redis !== undefined) {
    try {
      rows.push(...(await measureWith({ kind: 'redis', url: redis.url })));
    } finally {
      await redis.dispose();
    }
  }
  const postgres = await startPostgres();
  if (postgres !== undefined) {
    try {
      const database = await postgres.createDatabase();
      await new PostgresApiKeyStore(database.createPool()).migrate();
      rows.push(...(await measureWith({ kind: 'postgres', url: database.connectionString })));
    } finally {
      await postgres.dispose();
    }
  }
  report.table({
    part: 'revocation',
    title: `revocation: until the last of ${PROCESSES} other processes with a warm cache denies a revoked key`,
    notes: [
      `${REVOCATIONS} revocations each, milliseconds from when revoke() resolved; 0 for a key that all denied by then. Every process asks`,
      'about the key each millisecond, which is the resolution. With a bus the ttl is the default, 30 s, and one key is revoked',
      `after the other. Without, the ttl is ${TTL_MS} ms: "too late" counts the keys that a process admitted when a request came in`,
      'later than the ttl after revoke() had resolved.',
    ],
    rows,
  });
}

async function measureWith(server: Server): Promise<Row[]> {
  const withBus = await inProcesses(server, 'bus', 30_000, revokeInTurn);
  const without = await inProcesses(server, 'none', TTL_MS, revokeSpread);
  return [rowOf(`${server.kind}, bus`, withBus, 30_000), rowOf(`${server.kind}, no bus`, without, TTL_MS)];
}

type Revoke = (
  keys: readonly Key[],
  children: readonly Child[],
  revoke: (key: Key) => Promise<number>,
) => Promise<Revocation[]>;

interface Key {
  readonly id: string;
  readonly text: string;
}

async function inProcesses({ kind, url }: Server, bus: string, ttl: number, run: Revoke): Promise<Revocation[]> {
  const connection = connect(kind, url);
  const services = new KeyServices({
    store: connection.store,
    cache: bus === 'none' ? { ttl } : { ttl, bus: connection.bus },
  });
  await services.start();
  const children: Child[] = [];
  try {
    const tenant = services.service.forTenant(TENANT);
    const keys: Key[] = [];
    for (let index = 0; index < REVOCATIONS; index += 1) {
      const { record, secret } = await tenant.issue({ name: 'benchmark', scopes: ['files:read'] });
      keys.push({ id: record.id, text: secret.reveal() });
    }
    for (let index = 0; index < PROCESSES; index += 1) {
      children.push((await Child.start('revocation-process.js', [kind, url, bus, String(ttl)])).child);
    }
    return await run(keys, children, async ({ id }) => {
      await tenant.revoke(id);
      return machineTime();
    });
  } finally {
    for (const child of children) await child.stop();
    await services.stop();
    await connection.close();
  }
}

/** One after the other, so that none waits for another. */
const revokeInTurn: Revoke = async (keys, children, revoke) => {
  const revocations: Revocation[] = [];
  for (const key of keys) {
    await Promise.all(children.map((child) => child.ask({ watch: [key.text] })));
    const revokedAt = await revoke(key);
    const answers = await Promise.all(children.map((child) => child.ask({ until: [key.text] })));
    revocations.push({ revokedAt, denials: (answers as [Denial][]).map(([denial]) => denial) });
  }
  return revocations;
};

/** All are watched from the start, and revoked at times that have nothing to do with when they were read. */
const revokeSpread: Revoke = async (keys, children, revoke) => {
  const texts = keys.map(({ text }) => text);
  await Promise.all(children.map((child) => child.ask({ watch: texts })));
  const revokedAt = await Promise.all(
    keys.map(async (key) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * SPREAD_MS));
      return revoke(key);
    }),
  );
  const answers = (await Promise.all(children.map((child) => child.ask({ until: texts })))) as Denial[][];
  return keys.map((_, index) => ({
    revokedAt: revokedAt[index] ?? Number.NaN,
    denials: answers.map((denials) => denials[index] ?? { deniedAt: Number.NaN, admittedAt: Number.NaN }),
  }));
};

function rowOf(name: string, revocations: readonly Revocation[], ttl: number): Row {
  const waits = revocations.map(({ revokedAt, denials }) =>
    Math.max(0, ...denials.map(({ deniedAt }) => deniedAt - revokedAt)),
  );
  const late = revocations.filter(({ revokedAt, denials }) =>
    denials.some(({ admittedAt }) => !(admittedAt <= revokedAt + ttl)),
  ).length;
  return {
    'store and bus': name,
    'ttl ms': ttl,
    revocations: revocations.length,
    'p50 ms': quantile(waits, 0.5),
    'p99 ms': quantile(waits, 0.99),
    'longest ms': Math.max(...waits),
    ...judged('too late', late, 0),
  };
}

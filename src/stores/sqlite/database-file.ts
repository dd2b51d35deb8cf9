import { closeSync, existsSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import { isBusy, type OpenSqlite, type SqliteConnection } from './sqlite-driver.js';

/** What a database that ends with its connection is called. */
export const IN_MEMORY = ':memory:';

/** Only for the owner of the process; SQLite gives the files beside it the same. */
const FILE_MODE = 0o600;

/**
 * A writer waits this long for another one, and its process with it. Less than the time after which a store counts as
 * unavailable.
 */
const BUSY_TIMEOUT_MS = 2_000;
/** The change to WAL does not wait by itself. 5 seconds in all. */
const ATTEMPTS = 250;
const PAUSE_MS = 20;

/**
 * `FULL`: a write is on the disk when its promise resolves, and a revoked key is not back after a power cut. With `NORMAL` it
 * could be. The schema is not trusted: a file from elsewhere must not call functions of ours.
 */
const SETTINGS = `
PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
PRAGMA synchronous = FULL;
PRAGMA trusted_schema = OFF;
`;

export interface DatabaseFile {
  readonly path: string;
  readonly open: OpenSqlite;
  /** Whether to make a file that is not there. */
  readonly create: boolean;
  /** What is opened, for messages. */
  readonly where: string;
}

/**
 * Opens the database and gives it to `prepare`; closed again if that fails.
 * @throws KeyfenceConfigurationError for what cannot be opened as a database
 */
export async function openDatabaseFile(
  file: DatabaseFile,
  prepare: (connection: SqliteConnection) => void,
): Promise<SqliteConnection> {
  const { open, where } = file;
  try {
    const connection = open(locate(file));
    try {
      connection.exec(SETTINGS);
      await useWriteAheadLog(connection);
      prepare(connection);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof KeyfenceConfigurationError) throw error;
    const problem = error instanceof Error ? error.message : String(error);
    throw new KeyfenceConfigurationError(
      where,
      `cannot be opened as a database (${problem})`,
      'Give the path of an SQLite file, or of one to be made, in a folder that is there and that this process may write to.',
    );
  }
}

/** Absolute, so that no driver takes the text for an address or a URI. */
function locate({ path, create, where }: DatabaseFile): string {
  if (path === IN_MEMORY) return path;
  const absolute = resolve(path);
  if (create) {
    createFile(absolute);
  } else if (!existsSync(absolute)) {
    throw new KeyfenceConfigurationError(
      where,
      'does not exist',
      'Make it with SQLITE_MIGRATIONS, or open it without migrate: false.',
    );
  }
  return absolute;
}

/** Made before the driver does, which would leave it readable for everybody. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', FILE_MODE));
  } catch (error) {
    // A file that is there is never opened here: to close it again would drop the locks that this process has on it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Readers then never wait, and writers only for one another. */
async function useWriteAheadLog(connection: SqliteConnection): Promise<void> {
  for (let left = ATTEMPTS; ; left -= 1) {
    try {
      connection.prepare('PRAGMA journal_mode = WAL').all();
      return;
    } catch (error) {
      if (!isBusy(error) || left === 0) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

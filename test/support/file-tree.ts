import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, mkdtempSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What a tree may hold beside files (their content) and directories (a tree): made by the functions below. */
interface Planted {
  readonly plant: (path: string) => void | Promise<void>;
}

/**
 * A directory tree as a literal: text is a file, an object a directory.
 * @example
 * await plantTree(base, { 'a.txt': 'text', dir: { link: symlink('../a.txt'), pipe: fifo() } });
 */
export interface Tree {
  readonly [name: string]: string | Uint8Array | Planted | Tree;
}

/** A new empty directory, by its real path, so that a test can compare paths. */
export function temporaryDirectory(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'keyfence-')));
}

export async function plantTree(directory: string, tree: Tree): Promise<void> {
  mkdirSync(directory, { recursive: true });
  for (const [name, entry] of Object.entries(tree)) {
    const path = join(directory, name);
    if (typeof entry === 'string' || entry instanceof Uint8Array) writeFileSync(path, entry);
    else if (isPlanted(entry)) await entry.plant(path);
    else await plantTree(path, entry);
  }
}

/** A symbolic link; the target is written as it is. */
export function symlink(target: string): Planted {
  return {
    plant: (path) => {
      symlinkSync(target, path);
    },
  };
}

/** A second name of a file that is there already; a relative one is taken from where the new name is. */
export function hardLink(existing: string): Planted {
  return {
    plant: (path) => {
      linkSync(resolve(path, '..', existing), path);
    },
  };
}

export function fifo(): Planted {
  return {
    plant: (path) => {
      execFileSync('mkfifo', [path]);
    },
  };
}

/** A socket that nobody listens on. Closing a server unlinks the path it was bound to, so it is renamed before. */
export function unixSocket(): Planted {
  return {
    plant: async (path) => {
      const server = createServer();
      const bound = join(tmpdir(), `keyfence-${process.pid}-${Date.now().toString(36)}.sock`);
      server.listen(bound);
      await once(server, 'listening');
      renameSync(bound, path);
      server.close();
      await once(server, 'close');
    },
  };
}

/** What `/dev/null` is. Only root can make it. */
export function nullDevice(): Planted {
  return {
    plant: (path) => {
      execFileSync('mknod', [path, 'c', '1', '3']);
    },
  };
}

function isPlanted(entry: Planted | Tree): entry is Planted {
  return typeof entry.plant === 'function';
}

import type { Dir, Stats } from 'node:fs';
import type { ConfinedPath } from './confined-path.js';
import type { Strictness } from './strictness.js';

export type EngineName = 'openat2' | 'procfs' | 'portable';

/** An open directory: the anchor of every operation below it. */
export interface DirectoryHandle {
  readonly fd: number;
  /** Where the directory was when it was opened, with no symbolic link in it. */
  readonly realPath: string;
  /** Which mount it lies on, for engines that compare it (`mnt_id` of proc(5)). */
  readonly mountId: number | undefined;
}

/**
 * How one platform keeps an operation below an open directory. `open` and `stat` take a path of several components; the
 * others act on one entry by its name, so that nothing is left to resolve.
 *
 * Every method throws the system's error (`code: 'ENOENT'` ...), or `PathEscapeException` where the path left the directory.
 */
export interface Engine {
  readonly name: EngineName;
  readonly strictness: Strictness;
  /** The mount that an open directory lies on, where this engine needs to know. */
  mountIdOf(fd: number): number | undefined;
  /** Opens what the path names below the directory, following no symbolic link and crossing no mount. */
  open(directory: DirectoryHandle, path: ConfinedPath, flags: number): number;
  /** What the path names. A symbolic link may be answered by its own stat; it is never followed. */
  stat(directory: DirectoryHandle, path: ConfinedPath): Stats;
  createFile(directory: DirectoryHandle, name: string, mode: number): number;
  makeDirectory(directory: DirectoryHandle, name: string, mode: number): void;
  /** Gives an entry another name, in the same directory or in another one; a file or an empty directory there is replaced. */
  rename(directory: DirectoryHandle, from: string, target: DirectoryHandle, to: string): void;
  /** The same, and fails with EEXIST where the name is taken. */
  renameNew(directory: DirectoryHandle, from: string, target: DirectoryHandle, to: string): void;
  removeFile(directory: DirectoryHandle, name: string): void;
  removeDirectory(directory: DirectoryHandle, name: string): void;
  readDirectory(directory: DirectoryHandle): Dir;
}

import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { FileExistsException, FileNotFoundException, StorageUnavailableException } from '../errors/file.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { ConfinedFile, type ByteRange } from './confined-file.js';
import { parseConfinedPath, ROOT_PATH, splitPath, type ConfinedPath } from './confined-path.js';
import { toFileStat, type FileStat } from './file-stat.js';
import { listEntries, type ListOptions } from './list-entries.js';
import { makeDirectoryAt, openDirectoryAt } from './open-directory.js';
import { READ_FLAGS } from './open-flags.js';
import type { RootCache } from './root-cache.js';
import type { RootDirectory } from './root-directory.js';
import type { Strictness } from './strictness.js';
import { hasCode, toRefusal } from './system-error.js';
import { writeFileAt, type FileContent, type WriteFileOptions } from './write-file.js';

/**
 * A directory as a capability: whoever holds it can reach what lies below it and nothing else. Every verb takes a path
 * relative to it, in the grammar of `ConfinedPath`, and acts on an open handle, never on a path that was checked before.
 *
 * Every verb refuses `..`, absolute and encoded paths, symbolic links, hard links, FIFOs, sockets, devices and mounts
 * with `path_escape`, whatever they point to; other malformed paths with `invalid_path`; and answers `file_not_found`,
 * `not_a_file` or `storage_unavailable` as named.
 *
 * **Guarantee**: with `strictness` `kernel` or `procfs` (Linux) this holds against a process that renames and links in the
 * tree at the same time, under another user id. **Limits**: with `best-effort` (macOS, Windows) it does not; a process
 * with the server's own user id, or one that may mount, is outside what any library can hold.
 */
export class ConfinedDirectory {
  readonly #roots: RootCache;
  readonly #path: string;
  readonly #readOnly: boolean;

  constructor(roots: RootCache, path: string, readOnly: boolean) {
    this.#roots = roots;
    this.#path = path;
    this.#readOnly = readOnly;
  }

  /** What holds this directory on this machine. */
  get strictness(): Strictness {
    return this.#roots.engine.strictness;
  }

  /**
   * Opens a file for reading; the caller closes it (`await using` does).
   * @throws NotAFileException for a directory
   */
  open(path: string): Promise<ConfinedFile> {
    return this.#read(path, (root, confined) => {
      const fd = this.#roots.engine.open(root, confined, READ_FLAGS);
      return ConfinedFile.fromDescriptor(fd, confined);
    });
  }

  /** The bytes of a file, or its text. @throws FileTooLargeException above 2 GiB */
  readFile(path: string): Promise<Buffer>;
  readFile(path: string, options: { readonly encoding: BufferEncoding }): Promise<string>;
  async readFile(path: string, options?: { readonly encoding: BufferEncoding }): Promise<Buffer | string> {
    const file = await this.open(path);
    try {
      const bytes = await file.read();
      return options === undefined ? bytes : bytes.toString(options.encoding);
    } finally {
      await file.close();
    }
  }

  /** A file as a stream, or a part of it. The stream closes the file. @throws RangeNotSatisfiableException */
  async createReadStream(path: string, range?: ByteRange): Promise<Readable> {
    const file = await this.open(path);
    try {
      return file.createReadStream(range);
    } finally {
      await file.close();
    }
  }

  /**
   * Writes a file: all of it or nothing. Missing parent directories are made (mode 0750); the file gets mode 0640.
   * @throws FileExistsException with `exclusive`, if the name is taken
   * @throws FileTooLargeException beyond `maxBytes`
   */
  writeFile(path: string, content: FileContent, options: WriteFileOptions = {}): Promise<FileStat> {
    return this.#change(path, true, (root, confined) =>
      writeFileAt(this.#roots.engine, root, confined, content, options),
    );
  }

  /** What the path names. */
  stat(path: string): Promise<FileStat> {
    return this.#read(path, (root, confined) => toFileStat(confined, this.#roots.engine.stat(root, confined)));
  }

  /** True if the path names a file or a directory. A link, a special file or a mount is refused, not denied. */
  async exists(path: string): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (error instanceof FileNotFoundException) return false;
      throw error;
    }
  }

  /**
   * The entries of a directory (of this one, if no path is given), in no particular order. Links, special files, mounts
   * and names outside the path grammar are left out, since nothing here would open them.
   */
  async *list(path = '', options: ListOptions = {}): AsyncGenerator<FileStat, void, undefined> {
    const confined = path === '' ? ROOT_PATH : parseConfinedPath(path);
    let root: RootDirectory | undefined;
    try {
      root = this.#roots.acquire(this.#path, false);
      yield* listEntries(this.#roots.engine, root, confined, options);
    } catch (error) {
      // A tenant that has written nothing yet has an empty directory, not an error.
      if (root === undefined && confined === ROOT_PATH && hasCode(error, 'ENOENT')) return;
      throw toRefusal(error);
    } finally {
      root?.release();
    }
  }

  /** Makes a directory and what is missing above it (mode 0750). @throws FileExistsException where a file has the name */
  mkdir(path: string): Promise<void> {
    return this.#change(path, true, (root, confined) => {
      try {
        closeSync(makeDirectoryAt(this.#roots.engine, root, confined).fd);
      } catch (error) {
        throw hasCode(error, 'ENOTDIR') ? withoutStack(() => new FileExistsException()) : error;
      }
    });
  }

  /** Removes a file or an empty directory. @throws DirectoryNotEmptyException */
  remove(path: string): Promise<void> {
    return this.#change(path, false, (root, confined) => {
      const { engine } = this.#roots;
      const { parent: parentPath, name } = splitPath(confined);
      const parent = openDirectoryAt(engine, root, parentPath);
      try {
        const { kind } = toFileStat(confined, engine.stat(parent, name as ConfinedPath));
        if (kind === 'directory') engine.removeDirectory(parent, name);
        else engine.removeFile(parent, name);
      } finally {
        closeSync(parent.fd);
      }
    });
  }

  async #read<T>(path: string, verb: (root: RootDirectory, confined: ConfinedPath) => T): Promise<T> {
    return this.#withRoot(parseConfinedPath(path), false, verb);
  }

  /** @param create make the directory itself where it is missing */
  async #change<T>(
    path: string,
    create: boolean,
    verb: (root: RootDirectory, confined: ConfinedPath) => T | Promise<T>,
  ): Promise<T> {
    const confined = parseConfinedPath(path);
    if (this.#readOnly) throw withoutStack(() => new StorageUnavailableException('files.readOnly is set'));
    return this.#withRoot(confined, create, verb);
  }

  async #withRoot<T>(
    confined: ConfinedPath,
    create: boolean,
    verb: (root: RootDirectory, confined: ConfinedPath) => T | Promise<T>,
  ): Promise<T> {
    let root: RootDirectory | undefined;
    try {
      root = this.#roots.acquire(this.#path, create);
      return await verb(root, confined);
    } catch (error) {
      throw toRefusal(error);
    } finally {
      root?.release();
    }
  }
}

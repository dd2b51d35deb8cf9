import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { FileExistsException, FileNotFoundException, StorageUnavailableException } from '../errors/file.exceptions.js';
import { PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { ConfinedFile, type ByteRange } from './confined-file.js';
import { parseConfinedPath, ROOT_PATH, splitPath, type ConfinedPath } from './confined-path.js';
import { toFileStat, type FileStat } from './file-stat.js';
import { listEntries, type ListOptions } from './list-entries.js';
import { makeDirectoryAt, openDirectoryAt } from './open-directory.js';
import { READ_FLAGS } from './open-flags.js';
import { isGranted, isListable, isTreeGranted, type PathGrants } from './path-grant.js';
import { removeTreeAt, type RemoveTreeOptions } from './remove-tree.js';
import { renameAt, type RenameOptions } from './rename-entry.js';
import type { RootCache } from './root-cache.js';
import type { RootDirectory } from './root-directory.js';
import type { Strictness } from './strictness.js';
import { hasCode, toRefusal } from './system-error.js';
import { writeFileAt, type FileContent, type WriteFileOptions } from './write-file.js';

/** What lies in a directory. */
export interface DirectoryUsage {
  readonly bytes: number;
  readonly files: number;
}

/**
 * A directory as a capability: whoever holds it can reach what lies below it and nothing else. Every verb takes a path
 * relative to it, in the grammar of `ConfinedPath`, and acts on an open handle, never on a path that was checked before.
 *
 * Every verb refuses `..`, absolute and encoded paths, symbolic links, hard links, FIFOs, sockets, devices and mounts
 * with `path_escape`, whatever they point to; other malformed paths with `invalid_path`; and answers `file_not_found`,
 * `not_a_file` or `storage_unavailable` as named.
 *
 * With path grants, every verb refuses what they do not cover with `path_escape` too, before it looks at the disk and
 * whether or not it exists. A grant `dir/**` covers `dir` itself, so it can be made and removed; directories above it are
 * made on the way and cannot be named.
 *
 * **Guarantee**: with `strictness` `kernel` or `procfs` (Linux) this holds against a process that renames and links in the
 * tree at the same time, under another user id. **Limits**: with `best-effort` (macOS, Windows) it does not; a process
 * with the server's own user id, or one that may mount, is outside what any library can hold.
 */
export class ConfinedDirectory {
  readonly #roots: RootCache;
  readonly #path: string;
  readonly #readOnly: boolean;
  readonly #grants: PathGrants;
  readonly #base: ConfinedPath;

  /**
   * @param path of the root that anchors everything
   * @param base where this directory lies below it
   */
  constructor(roots: RootCache, path: string, readOnly: boolean, grants?: PathGrants, base = ROOT_PATH) {
    this.#roots = roots;
    this.#path = path;
    this.#readOnly = readOnly;
    this.#grants = grants;
    this.#base = base;
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
      return ConfinedFile.fromDescriptor(fd, this.#own(confined));
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
    return this.#change(path, true, async (root, confined) => {
      const stat = await writeFileAt(this.#roots.engine, root, confined, content, options);
      return { ...stat, path: this.#own(confined) };
    });
  }

  /**
   * Copies a file: all of it or nothing, as {@link writeFile} does.
   * @throws NotAFileException for a directory
   */
  async copy(from: string, to: string): Promise<FileStat> {
    this.#parse(to);
    const file = await this.open(from);
    const content = file.createReadStream();
    try {
      return await this.writeFile(to, content);
    } finally {
      // A write that is refused leaves the stream as it is, and with it the file open.
      content.destroy();
      await file.close();
    }
  }

  /**
   * Gives a file or a directory another path in this directory, in one step. Missing parents are made.
   * @throws FileExistsException if the name is taken: by a file where a directory goes, or at all without `replace`
   * @throws NotAFileException where a file goes and a directory is
   * @throws DirectoryNotEmptyException where a directory goes and one is that is not empty
   */
  async rename(from: string, to: string, options: RenameOptions = {}): Promise<void> {
    const target = this.#parse(to);
    return this.#change(from, false, (root, source) => {
      const filesOnly = !isTreeGranted(this.#grants, source) || !isTreeGranted(this.#grants, target);
      renameAt(this.#roots.engine, root, source, target, { replace: options.replace ?? true, filesOnly });
    });
  }

  /** What the path names. */
  stat(path: string): Promise<FileStat> {
    return this.#read(path, (root, confined) =>
      toFileStat(this.#own(confined), this.#roots.engine.stat(root, confined)),
    );
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
   *
   * With path grants it gives what they cover and nothing else. It may start at a directory that only leads to a grant:
   * of `a/b/**`, `list('a')` gives `a/b`; `list()` gives nothing, and with `recursive` `a/b` and all below it.
   */
  async *list(path = '', options: ListOptions = {}): AsyncGenerator<FileStat, void, undefined> {
    const confined = path === '' ? this.#base : this.#below(path);
    if (!isListable(this.#grants, confined)) throw outsideGrant();
    let root: RootDirectory | undefined;
    try {
      root = this.#roots.acquire(this.#path, false);
      for await (const stat of listEntries(this.#roots.engine, root, confined, this.#grants, options)) {
        yield { ...stat, path: this.#own(stat.path as ConfinedPath) };
      }
    } catch (error) {
      // Where nothing was written yet the directory is empty, not an error.
      if (confined === this.#base && hasCode(error, 'ENOENT')) return;
      const refusal = toRefusal(error);
      // Nor is it told whether a directory is there that only leads to a grant.
      if (refusal instanceof FileNotFoundException && !isGranted(this.#grants, confined)) return;
      throw refusal;
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

  /**
   * Removes a directory and all that is in it, however deep. It is gone as a whole at once; removing what was in it takes its
   * time. A mount in it stops that, and nothing behind it is touched.
   * @throws NotAFileException for a file
   * @throws QuotaExceededException beyond `maxEntries`
   */
  async removeTree(path: string, options: RemoveTreeOptions = {}): Promise<void> {
    if (!isTreeGranted(this.#grants, this.#parse(path))) throw outsideGrant();
    return this.#change(path, false, (root, confined) => removeTreeAt(this.#roots.engine, root, confined, options));
  }

  /**
   * A directory below as a capability of its own: it cannot name anything beside it. It need not be there yet; what is
   * written makes it.
   */
  async subdirectory(path: string): Promise<ConfinedDirectory> {
    const base = this.#below(path);
    if (!isListable(this.#grants, base)) throw outsideGrant();
    return Promise.resolve(this.at(base));
  }

  /** How much lies in this directory, as far as it is granted. It looks at every file: keep the answer for a while. */
  async usage(): Promise<DirectoryUsage> {
    let [bytes, files] = [0, 0];
    for await (const { kind, size } of this.list('', { recursive: true })) {
      if (kind !== 'file') continue;
      bytes += size;
      files += 1;
    }
    return { bytes, files };
  }

  /** The same directory, seen from another place below its root. */
  protected at(base: ConfinedPath): ConfinedDirectory {
    return new ConfinedDirectory(this.#roots, this.#path, this.#readOnly, this.#grants, base);
  }

  /** A caller's path that this directory may act on. Every verb takes each of its paths through here. */
  #parse(path: string): ConfinedPath {
    const confined = this.#below(path);
    if (!isGranted(this.#grants, confined)) throw outsideGrant();
    return confined;
  }

  /** The caller's path by itself must be one, before it is put behind another. */
  #below(path: string): ConfinedPath {
    const confined = parseConfinedPath(path);
    return this.#base === ROOT_PATH ? confined : parseConfinedPath(`${this.#base}/${confined}`);
  }

  /** The path as callers of this directory know it. */
  #own(confined: ConfinedPath): ConfinedPath {
    return this.#base === ROOT_PATH ? confined : (confined.slice(this.#base.length + 1) as ConfinedPath);
  }

  async #read<T>(path: string, verb: (root: RootDirectory, confined: ConfinedPath) => T): Promise<T> {
    return this.#withRoot(this.#parse(path), false, verb);
  }

  /** @param create make the directory itself where it is missing */
  async #change<T>(
    path: string,
    create: boolean,
    verb: (root: RootDirectory, confined: ConfinedPath) => T | Promise<T>,
  ): Promise<T> {
    const confined = this.#parse(path);
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

function outsideGrant(): PathEscapeException {
  return withoutStack(() => new PathEscapeException('outside_grant'));
}

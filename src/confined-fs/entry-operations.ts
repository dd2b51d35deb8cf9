import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  renameSync,
  rmdirSync,
  type Dir,
  type Stats,
  unlinkSync,
} from 'node:fs';
import type { ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine, EngineName } from './engine.js';
import { CREATE_FLAGS } from './open-flags.js';
import type { Strictness } from './strictness.js';

/** The operations on one entry, for an engine that can write an open directory as a path. */
export abstract class EntryOperations implements Engine {
  abstract readonly name: EngineName;
  abstract readonly strictness: Strictness;
  abstract mountIdOf(fd: number): number | undefined;
  abstract open(directory: DirectoryHandle, path: ConfinedPath, flags: number): number;

  stat(directory: DirectoryHandle, path: ConfinedPath): Stats {
    const fd = this.open(directory, path, this.identifyFlags);
    try {
      return fstatSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** How to open an object only to learn what it is. */
  protected abstract readonly identifyFlags: number;

  /** A path that means the open directory, whatever has been renamed since. */
  protected abstract pathOf(directory: DirectoryHandle): string;

  createFile(directory: DirectoryHandle, name: string, mode: number): number {
    return openSync(this.#entry(directory, name), CREATE_FLAGS, mode);
  }

  makeDirectory(directory: DirectoryHandle, name: string, mode: number): void {
    mkdirSync(this.#entry(directory, name), { mode });
  }

  rename(directory: DirectoryHandle, from: string, target: DirectoryHandle, to: string): void {
    renameSync(this.#entry(directory, from), this.#entry(target, to));
  }

  /**
   * rename(2) replaces. A directory takes the place of an empty one that was just made; a file gets a second name first,
   * which fails where it is taken, and loses the first one then. A process that is killed between the two leaves both.
   */
  renameNew(directory: DirectoryHandle, from: string, target: DirectoryHandle, to: string): void {
    const [source, destination] = [this.#entry(directory, from), this.#entry(target, to)];
    if (!lstatSync(source).isDirectory()) {
      linkSync(source, destination);
      unlinkSync(source);
      return;
    }
    mkdirSync(destination);
    try {
      renameSync(source, destination);
    } catch (error) {
      rmdirSync(destination);
      throw error;
    }
  }

  removeFile(directory: DirectoryHandle, name: string): void {
    unlinkSync(this.#entry(directory, name));
  }

  removeDirectory(directory: DirectoryHandle, name: string): void {
    rmdirSync(this.#entry(directory, name));
  }

  readDirectory(directory: DirectoryHandle): Dir {
    return opendirSync(this.pathOf(directory));
  }

  #entry(directory: DirectoryHandle, name: string): string {
    return `${this.pathOf(directory)}/${name}`;
  }
}

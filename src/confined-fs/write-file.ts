import { close, closeSync, fdatasync, fstatSync, fsync, write, type Stats } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { FileExistsException, FileTooLargeException } from '../errors/file.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { splitPath, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { toRegularFileStat, type FileStat } from './file-stat.js';
import { parseLimit } from './limit.js';
import { makeParentAt } from './open-directory.js';
import { reservedName } from './reserved-name.js';
import { hasCode } from './system-error.js';

/** What can be written: bytes, text (as UTF-8), or a stream of either. */
export type FileContent = Uint8Array | string | Readable | AsyncIterable<Uint8Array | string>;

export interface WriteFileOptions {
  /** Fail with `file_exists` if the name is taken. @default false */
  readonly exclusive?: boolean;
  /** Fail with `file_too_large` beyond this many bytes; counted as they arrive, whatever was announced. @default no limit */
  readonly maxBytes?: number;
  /** Return only when the bytes and the name are on the disk (fdatasync, and fsync of the directory). @default false */
  readonly durable?: boolean;
}

/** Readable and writable by the owner, readable by the group, never executable. */
const FILE_MODE = 0o640;

const closeAsync = promisify(close);
const fdatasyncAsync = promisify(fdatasync);
const fsyncAsync = promisify(fsync);
const writeAsync = promisify(write);

/**
 * Writes a file so that others see the old content or the new one, never a part: into a temporary file in the same
 * directory, which then takes the name. On any failure the old file is untouched and the temporary one removed.
 */
export async function writeFileAt(
  engine: Engine,
  root: DirectoryHandle,
  path: ConfinedPath,
  content: FileContent,
  options: WriteFileOptions,
): Promise<FileStat> {
  const { parent: parentPath, name } = splitPath(path);
  const parent = makeParentAt(engine, root, parentPath);
  try {
    checkTarget(engine, parent, path, name, options.exclusive ?? false);
    const temporary = createTemporaryFile(engine, parent);
    try {
      const stats = await fill(temporary.fd, content, options);
      publish(engine, parent, temporary.name, name, options.exclusive ?? false);
      if (options.durable === true) await fsyncAsync(parent.fd);
      return toRegularFileStat(path, stats);
    } catch (error) {
      discard(engine, parent, temporary.name);
      throw error;
    }
  } finally {
    closeSync(parent.fd);
  }
}

/** A file may be replaced; anything else that has the name is refused as it would be on reading. */
function checkTarget(
  engine: Engine,
  parent: DirectoryHandle,
  path: ConfinedPath,
  name: string,
  exclusive: boolean,
): void {
  try {
    toRegularFileStat(path, engine.stat(parent, name as ConfinedPath));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if (exclusive) throw withoutStack(() => new FileExistsException());
}

function createTemporaryFile(engine: Engine, parent: DirectoryHandle): { readonly fd: number; readonly name: string } {
  for (;;) {
    const name = reservedName();
    try {
      return { fd: engine.createFile(parent, name, FILE_MODE), name };
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

async function fill(fd: number, content: FileContent, options: WriteFileOptions): Promise<Stats> {
  try {
    const maxBytes = parseLimit('writeFile({ maxBytes })', options.maxBytes);
    let bytes = 0;
    for await (const chunk of chunksOf(content)) {
      const buffer = toBuffer(chunk);
      bytes += buffer.length;
      if (bytes > maxBytes) throw withoutStack(() => new FileTooLargeException());
      await writeAll(fd, buffer);
    }
    if (options.durable === true) await fdatasyncAsync(fd);
    return fstatSync(fd);
  } finally {
    await closeAsync(fd);
  }
}

function chunksOf(content: FileContent): Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string> {
  if (typeof content === 'string' || content instanceof Uint8Array) return [content];
  if (!(content instanceof Readable)) return content;
  if (content.readableDidRead || content.readableEnded) {
    throw new KeyfenceConfigurationError(
      'writeFile(path, content)',
      'got a stream that was read already, and would have written an empty file',
      'If it is a request, a body parser took it: see "Uploads" in the README, for Express and for Fastify.',
    );
  }
  // A request that is refused half-way must stay open, or its sender would never get the answer.
  return content.iterator({ destroyOnReturn: false });
}

function toBuffer(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError('writeFile() takes bytes, text, or a stream of either.');
}

async function writeAll(fd: number, buffer: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < buffer.length) {
    const { bytesWritten } = await writeAsync(fd, buffer, offset, buffer.length - offset, null);
    offset += bytesWritten;
  }
}

function publish(engine: Engine, parent: DirectoryHandle, temporary: string, name: string, exclusive: boolean): void {
  if (exclusive) engine.renameNew(parent, temporary, parent, name);
  else engine.rename(parent, temporary, parent, name);
}

function discard(engine: Engine, parent: DirectoryHandle, temporary: string): void {
  try {
    engine.removeFile(parent, temporary);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

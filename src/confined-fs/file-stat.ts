import type { Stats } from 'node:fs';
import { NotAFileException } from '../errors/file.exceptions.js';
import { PathEscapeException, type PathEscapeReason } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import type { ConfinedPath } from './confined-path.js';

/** What is known of a file or a directory without opening its content. */
export interface FileStat {
  /** Relative to the tenant's directory. */
  readonly path: string;
  readonly kind: 'file' | 'directory';
  /** In bytes; 0 for a directory. */
  readonly size: number;
  readonly modifiedAt: Date;
}

/**
 * The stat of an object that may be served.
 * @throws PathEscapeException for a symbolic link, a hard link, a FIFO, a socket or a device
 */
export function toFileStat(path: ConfinedPath, stats: Stats): FileStat {
  const reason = refusalOf(stats);
  if (reason !== undefined) throw withoutStack(() => new PathEscapeException(reason));
  const kind = stats.isDirectory() ? 'directory' : 'file';
  return { path, kind, size: kind === 'file' ? stats.size : 0, modifiedAt: stats.mtime };
}

/** As {@link toFileStat}, and it must be a file. */
export function toRegularFileStat(path: ConfinedPath, stats: Stats): FileStat {
  const stat = toFileStat(path, stats);
  if (stat.kind !== 'file') throw withoutStack(() => new NotAFileException());
  return stat;
}

/** Why an object is not served, or `undefined` for a regular file with one name and for a directory. */
function refusalOf(stats: Stats): PathEscapeReason | undefined {
  if (stats.isDirectory()) return undefined;
  if (stats.isSymbolicLink()) return 'symlink';
  if (!stats.isFile()) return 'special_file';
  // A second name may lie outside. None at all is a file that was replaced after it was opened: it was inside.
  return stats.nlink > 1 ? 'hard_link' : undefined;
}

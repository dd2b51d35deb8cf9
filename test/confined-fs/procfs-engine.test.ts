import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { ConfinedPath } from '../../src/confined-fs/confined-path.js';
import { DIRECTORY_FLAGS, READ_FLAGS } from '../../src/confined-fs/open-flags.js';
import { ProcfsEngine } from '../../src/confined-fs/procfs-engine.js';
import { notTestedHere } from '../support/engines.js';

/** Asking for the mount opens a file in /proc, and fails where no descriptor is left. */
class ExhaustedEngine extends ProcfsEngine {
  override mountIdOf(): never {
    throw Object.assign(new Error('EMFILE: too many open files, open'), { code: 'EMFILE', syscall: 'open' });
  }
}

describe('a walk that fails, where the mount cannot be asked for either', () => {
  it.each([
    ['leaves no descriptor open', new ExhaustedEngine(), 'EMFILE'],
    ['says what it failed for where it can be asked (control)', new ProcfsEngine(), 'ENOENT'],
  ] as const)('%s', (_case, engine, code) => {
    if (process.platform !== 'linux') {
      notTestedHere('the procfs engine', 'It needs Linux.');
      return;
    }
    const realPath = mkdtempSync(join(tmpdir(), 'keyfence-procfs-'));
    mkdirSync(join(realPath, 'inner'));
    const fd = openSync(realPath, DIRECTORY_FLAGS);
    const directory = { fd, realPath, mountId: new ProcfsEngine().mountIdOf(fd) };
    const before = readdirSync('/proc/self/fd').length;
    expect(() => engine.open(directory, 'inner/missing' as ConfinedPath, READ_FLAGS)).toThrow(
      expect.objectContaining({ code }),
    );
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
    closeSync(fd);
    rmSync(realPath, { recursive: true });
  });
});

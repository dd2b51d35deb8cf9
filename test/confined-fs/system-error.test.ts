import { openSync, readdirSync, rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { RootCache } from '../../src/confined-fs/root-cache.js';
import { hasCode, toRefusal } from '../../src/confined-fs/system-error.js';
import { selectEngine } from '../../src/confined-fs/select-engine.js';
import { isKeyfenceException } from '../../src/errors/refusal.exception.js';
import { temporaryDirectory } from '../support/file-tree.js';
import { refusalOf } from './refusal-of.js';

const HOST_PATH = '/srv/tenants/acme/secret-name';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: something, open '${HOST_PATH}'`), {
    code,
    syscall: 'open',
    errno: -1,
    path: HOST_PATH,
  });
}

const root = temporaryDirectory();
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('an error of the operating system', () => {
  it.each([
    ['ENOENT', 404, 'file_not_found'],
    ['ENOTDIR', 404, 'file_not_found'],
    ['EEXIST', 409, 'file_exists'],
    ['EISDIR', 409, 'not_a_file'],
    ['ENOTEMPTY', 409, 'directory_not_empty'],
    ['EFBIG', 413, 'file_too_large'],
    ['ENAMETOOLONG', 400, 'invalid_path'],
    ['ELOOP', 403, 'path_escape'],
    ['ENXIO', 403, 'path_escape'],
    ['ENODEV', 403, 'path_escape'],
    ['EXDEV', 403, 'path_escape'],
    ['EBUSY', 403, 'path_escape'],
    ...['EIO', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ESTALE', 'EINVAL', 'E_NEW'].map(
      (code) => [code, 503, 'storage_unavailable'] as const,
    ),
  ] as const)('%s is told as %d %s, without the path', (code, status, errorCode) => {
    const refusal = toRefusal(systemError(code));
    if (!isKeyfenceException(refusal)) throw new Error('It is no refusal.');
    expect(refusal.errorCode).toBe(errorCode);
    expect(refusal.getStatus()).toBe(status);
    expect(refusal.getResponse()).toMatchObject({ statusCode: status, errorCode });
    expect(JSON.stringify(refusal.getResponse())).not.toContain('secret-name');
    expect(refusal.message).not.toContain('secret-name');
  });

  it('is kept as the cause where an operator needs it', () => {
    const error = systemError('EIO');
    expect(toRefusal(error)).toMatchObject({ errorCode: 'storage_unavailable', cause: error });
    expect((toRefusal(systemError('ENOENT')) as Error).cause).toBeUndefined();
  });

  it('is known by its code, also where it was thrown by another realm than this one (as in Jest)', () => {
    let thrown: unknown;
    try {
      openSync('/missing/file', 'r');
    } catch (error) {
      thrown = error;
    }
    expect(hasCode(thrown, 'ENOENT')).toBe(true);
    expect(hasCode(thrown, 'EACCES')).toBe(false);
    expect(toRefusal(thrown)).toMatchObject({ errorCode: 'file_not_found' });
  });

  it.each([
    new Error('a bug'),
    new TypeError('another'),
    'text',
    undefined,
    null,
    { code: 'ENOENT' },
    { code: 1, syscall: 2 },
  ])('anything else is returned as it is: %p', (error) => {
    expect(toRefusal(error)).toBe(error);
    expect(hasCode(error, 'ENOENT')).toBe(false);
  });

  it.each(['EIO', 'EMFILE', 'EACCES'])(
    '%s of a real verb is storage_unavailable, and nothing stays open',
    async (code) => {
      const { engine } = await selectEngine('auto');
      const cause = systemError(code);
      const failing = Object.create(engine, {
        open: {
          value: () => {
            throw cause;
          },
        },
      }) as typeof engine;
      const roots = new RootCache(failing, () => 0);
      const files = new ConfinedDirectory(roots, root, false);
      await files.exists('warm').catch(() => undefined);
      const before = readdirSync('/proc/self/fd').length;
      for (const call of [
        () => files.readFile('file'),
        () => files.writeFile('file', 'text'),
        () => files.exists('file'),
        () => files.list().next(),
        () => files.mkdir('a/b'),
        () => files.remove('file'),
      ]) {
        expect(await refusalOf(call)).toMatchObject({ errorCode: 'storage_unavailable', cause });
      }
      expect(readdirSync('/proc/self/fd')).toHaveLength(before);
      roots.close();
    },
  );
});

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { resolveRoot } from '../../src/confined-fs/resolve-root.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { plantTree, symlink, temporaryDirectory } from '../support/file-tree.js';

const base = temporaryDirectory();
await plantTree(base, {
  tenants: {},
  file: '',
  current: symlink('tenants'),
  nowhere: symlink('missing'),
  top: symlink('/'),
  loop: symlink('loop'),
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('the root of all tenants', () => {
  it.each(['tenants', 'current', 'tenants/', 'current/../tenants', './tenants/.'])('%s is resolved once', (path) => {
    expect(resolveRoot(`${base}/${path}`)).toBe(join(base, 'tenants'));
  });

  it.each([
    ['', 'is not absolute'],
    ['tenants', 'is not absolute'],
    ['./tenants', 'is not absolute'],
    [join(base, 'missing'), 'does not exist'],
    [join(base, 'nowhere'), 'does not exist'],
    [join(base, 'loop'), 'does not exist'],
    [join(base, 'file'), 'is not a directory'],
    ['/', 'is the root of the file system'],
    ['//', 'is the root of the file system'],
    [join(base, 'top'), 'is the root of the file system'],
  ])('%p stops the boot: %s', (root, problem) => {
    const call = (): string => resolveRoot(root);
    expect(call).toThrow(KeyfenceConfigurationError);
    expect(call).toThrow(/^Keyfence: files\.root /);
    expect(call).toThrow(problem);
  });
});

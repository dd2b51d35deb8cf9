import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import type { FileOptions } from '../../src/files/file-options.js';
import { FileService } from '../../src/files/file.service.js';
import type { Principal } from '../../src/principal/principal.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { outcomeOf, refusalOf } from '../confined-fs/refusal-of.js';
import { settledDescriptorsBelow } from '../confined-fs/open-descriptors.js';
import { enginesHere } from '../support/engines.js';
import { plantTree, symlink, temporaryDirectory } from '../support/file-tree.js';

const base = temporaryDirectory();
const engineNames = (await enginesHere()).map(([name]) => name);
let root: string;
let count = 0;
let services: FileService[] = [];
let log: jest.SpiedFunction<Logger['log']>;

async function start(options: Partial<FileOptions> | undefined): Promise<FileService> {
  const service = new FileService(options && { root, readOnly: false, engine: 'auto', ...options });
  services.push(service);
  await service.onModuleInit();
  return service;
}

beforeEach(() => {
  root = join(base, `${(count += 1)}`);
  mkdirSync(root);
  log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
});
afterEach(async () => {
  log.mockRestore();
  for (const service of services) service.onApplicationShutdown();
  services = [];
  expect(await settledDescriptorsBelow(base, 0)).toBe(0);
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('forTenant()', () => {
  it("gives the tenant's directory below the root, and of two tenants two", async () => {
    await plantTree(root, { acme: { file: "acme's" }, globex: { file: "globex's" } });
    const service = await start({});
    expect(await service.forTenant('acme').readFile('file', { encoding: 'utf8' })).toBe("acme's");
    expect(await service.forTenant('globex').readFile('file', { encoding: 'utf8' })).toBe("globex's");
    expect(service.forTenant('acme').tenantId).toBe('acme');
  });

  it('makes nothing until something is written', async () => {
    const service = await start({});
    const files = service.forTenant('new');
    expect(await files.exists('file')).toBe(false);
    expect(statSync(join(root, 'new'), { throwIfNoEntry: false })).toBeUndefined();
    await files.writeFile('file', 'text');
    expect(readFileSync(join(root, 'new/file'), 'utf8')).toBe('text');
  });

  it.each(['acme', 'a', 'A-1_b.c', '0', '-', '_', 'a'.repeat(128), 'a..b', 'constructor', '__proto__'])(
    'takes the id %p',
    async (id) => {
      const service = await start({});
      await service.forTenant(id).writeFile('file', id);
      expect(readFileSync(join(root, id, 'file'), 'utf8')).toBe(id);
    },
  );

  it.each([
    ...['..', '.', '../globex', 'a/b', '/', '/etc', 'a/', '\\', 'a\\b', '../../etc', './acme', 'acme/..', '//'].map(
      (id) => [id, 'path_escape'] as const,
    ),
    ...[
      '',
      ' ',
      'a b',
      'acme\0',
      '.hidden',
      'a.',
      '...',
      'é',
      '日本',
      '%2e%2e',
      'a:b',
      'con',
      'NUL.txt',
      'com1',
      'a\n',
    ].map((id) => [id, 'invalid_path'] as const),
    ['a'.repeat(129), 'invalid_path'],
  ] as const)('refuses the id %p with %s', async (id, errorCode) => {
    await plantTree(root, { globex: { file: "globex's" } });
    const service = await start({});
    expect(await outcomeOf(() => service.forTenant(id))).toBe(errorCode);
    expect(await outcomeOf(() => service.readTenantFile(id, 'file'))).toBe(errorCode);
    const principal: Principal = { tenantId: id as TenantId, keyId: 'k', scopes: [] };
    expect(await outcomeOf(() => service.forPrincipal(principal))).toBe(errorCode);
  });

  it.each([undefined, null, 1, ['acme'], { toString: () => 'acme' }])('refuses what is no text: %p', async (id) => {
    const service = await start({});
    expect(await outcomeOf(() => service.forTenant(id as unknown as string))).toBe('invalid_path');
  });

  it('does not repeat the id in the refusal', async () => {
    const service = await start({});
    for (const id of ['../secret-name', 'secret-name ']) {
      const refusal = await refusalOf(() => service.forTenant(id));
      expect(JSON.stringify(refusal)).not.toContain('secret-name');
    }
  });

  it('refuses a tenant whose directory is a link to another tenant', async () => {
    await plantTree(root, { globex: { file: "globex's" }, acme: symlink('globex') });
    const service = await start({});
    expect(await outcomeOf(() => service.forTenant('acme').readFile('file'))).toBe('path_escape');
    // Control: the link is a good one.
    expect(readFileSync(join(root, 'acme/file'), 'utf8')).toBe("globex's");
  });
});

describe('forPrincipal() and readTenantFile()', () => {
  it('are the same by the principal, and one file', async () => {
    await plantTree(root, { acme: { file: "acme's" } });
    const service = await start({});
    const principal: Principal = { tenantId: 'acme' as TenantId, keyId: 'k', scopes: [] };
    expect(await service.forPrincipal(principal).readFile('file', { encoding: 'utf8' })).toBe("acme's");
    const file = await service.readTenantFile('acme', 'file');
    expect((await file.read()).toString()).toBe("acme's");
    await file.close();
  });

  it.each([
    ['../globex/file', 'path_escape'],
    ['/etc/passwd', 'path_escape'],
    ['', 'invalid_path'],
    ['missing', 'file_not_found'],
  ])('readTenantFile() refuses %p with %s', async (path, errorCode) => {
    await plantTree(root, { acme: {}, globex: { file: "globex's" } });
    const service = await start({});
    expect(await outcomeOf(() => service.readTenantFile('acme', path))).toBe(errorCode);
  });
});

describe('a principal with paths', () => {
  const TREE = { reports: { 'q3.csv': 'granted' }, reports2: { x: 'not granted' }, 'secret.txt': 'not granted' };
  const callerWith = (paths: unknown): Principal => ({
    tenantId: 'acme' as TenantId,
    keyId: 'k',
    scopes: [],
    paths: paths as readonly string[],
  });

  it.each(engineNames)('reaches these and nothing else of the directory, on %s', async (engine) => {
    await plantTree(root, { acme: TREE, globex: TREE });
    const service = await start({ engine });
    const files = service.forPrincipal(callerWith(['reports/**', 'new.txt']));
    expect(files.tenantId).toBe('acme');
    expect(await files.readFile('reports/q3.csv', { encoding: 'utf8' })).toBe('granted');
    await files.writeFile('new.txt', 'text');
    expect(readFileSync(join(root, 'acme/new.txt'), 'utf8')).toBe('text');
    const refusal = await refusalOf(() => files.readFile('secret.txt'));
    expect(refusal).toMatchObject({ errorCode: 'path_escape', reason: 'outside_grant' });
    expect(await outcomeOf(() => files.writeFile('reports2/x', 'overwritten'))).toBe('path_escape');
    expect(await outcomeOf(() => files.remove('secret.txt'))).toBe('path_escape');
    expect(await outcomeOf(() => files.mkdir('other'))).toBe('path_escape');
    expect(await outcomeOf(() => files.list('reports2').next())).toBe('path_escape');
    expect(readdirSync(join(root, 'acme')).sort()).toEqual(['new.txt', 'reports', 'reports2', 'secret.txt']);
    expect(readFileSync(join(root, 'acme/reports2/x'), 'utf8')).toBe('not granted');
  });

  it.each([
    ['undefined paths', callerWith(undefined)],
    ['no paths', { tenantId: 'acme' as TenantId, keyId: 'k', scopes: [] }],
  ])('with %s reaches the whole directory (control)', async (_title, principal) => {
    await plantTree(root, { acme: TREE });
    const files = (await start({})).forPrincipal(principal);
    expect(await files.readFile('secret.txt', { encoding: 'utf8' })).toBe('not granted');
    await files.writeFile('reports2/x', 'overwritten');
    expect(readFileSync(join(root, 'acme/reports2/x'), 'utf8')).toBe('overwritten');
  });

  it('with an empty list reaches nothing', async () => {
    await plantTree(root, { acme: TREE });
    const files = (await start({})).forPrincipal(callerWith([]));
    for (const path of ['secret.txt', 'reports', 'reports/q3.csv', 'missing']) {
      expect(await outcomeOf(() => files.exists(path))).toBe('path_escape');
    }
    expect((await files.list('', { recursive: true }).next()).done).toBe(true);
  });

  it('does not narrow forTenant()', async () => {
    await plantTree(root, { acme: TREE });
    const service = await start({});
    service.forPrincipal(callerWith(['reports/**']));
    expect(await service.forTenant('acme').readFile('secret.txt', { encoding: 'utf8' })).toBe('not granted');
  });

  it.each([
    [['**']],
    [['reports/**', '**']],
    [['reports/*']],
    [['']],
    [['..']],
    [['../globex/**']],
    [['/etc/**']],
    [[undefined]],
    [new Array(1)],
    [[['reports/**']]],
    [null],
    ['reports/**'],
    [''],
    [0],
    [false],
    [{}],
    [{ 0: 'reports/**', length: 1 }],
    [new Set(['reports/**'])],
  ])('gets no directory at all for the paths %j', async (paths) => {
    await plantTree(root, { acme: TREE });
    const service = await start({});
    expect(() => service.forPrincipal(callerWith(paths))).toThrow(KeyfenceConfigurationError);
    expect(() => service.forPrincipal(callerWith(paths))).toThrow(/^Keyfence: principal\.paths .*Leave paths out/);
  });

  it('keeps what it was granted when the list is changed later', async () => {
    await plantTree(root, { acme: TREE });
    const paths = ['reports/**'];
    const files = (await start({})).forPrincipal(callerWith(paths));
    paths.push('secret.txt');
    expect(await outcomeOf(() => files.readFile('secret.txt'))).toBe('path_escape');
  });
});

describe('the option rootFor', () => {
  it('says where a tenant is, and gets a checked id only', async () => {
    await plantTree(root, { eu: { acme: { file: 'in the eu' } } });
    const rootFor = jest.fn((tenantId: string) => join(root, 'eu', tenantId));
    const service = await start({ rootFor });
    expect(await service.forTenant('acme').readFile('file', { encoding: 'utf8' })).toBe('in the eu');
    expect(await outcomeOf(() => service.forTenant('../acme'))).toBe('path_escape');
    expect(rootFor.mock.calls).toEqual([['acme']]);
  });

  it.each(['', '/', 'relative', './relative', '../up', undefined, null, 1, ['/a']])(
    'that returns %p is a mistake of the application',
    async (path) => {
      const service = await start({ rootFor: () => path as unknown as string });
      expect(() => service.forTenant('acme')).toThrow(KeyfenceConfigurationError);
      expect(() => service.forTenant('acme')).toThrow(/^Keyfence: files\.rootFor /);
    },
  );
});

describe('the option readOnly', () => {
  it('refuses every write and lets every read through', async () => {
    await plantTree(root, { acme: { file: 'text', empty: {} } });
    const files = (await start({ readOnly: true })).forTenant('acme');
    expect(await files.readFile('file', { encoding: 'utf8' })).toBe('text');
    for (const write of [
      () => files.writeFile('file', 'new'),
      () => files.writeFile('other', 'new'),
      () => files.mkdir('directory'),
      () => files.remove('empty'),
    ]) {
      expect(await outcomeOf(write)).toBe('storage_unavailable');
    }
    expect(readFileSync(join(root, 'acme/file'), 'utf8')).toBe('text');
  });
});

describe('at boot', () => {
  it.each(engineNames)('the engine %s is taken when asked for, and the log says so', async (engine) => {
    const service = await start({ engine });
    const { strictness } = service.forTenant('acme');
    expect(log.mock.calls.flat().join()).toContain(`Tenant files are held by '${strictness}', through ${engine}`);
  });

  it.each([
    ['portable', 'best-effort', true],
    ['portable', 'platform-flag', false],
    ['portable', 'procfs', false],
    ['portable', 'kernel', false],
    ['procfs', 'procfs', true],
    ['procfs', 'kernel', false],
    ['openat2', 'kernel', true],
  ] as const)('the engine %s with requireStrictness %s starts: %p', async (engine, requireStrictness, starts) => {
    if (!engineNames.includes(engine)) return;
    const started = start({ engine, requireStrictness });
    if (starts) expect((await started).forTenant('acme').strictness).toBeDefined();
    else {
      await expect(started).rejects.toBeInstanceOf(KeyfenceConfigurationError);
      await expect(started).rejects.toMatchObject({
        option: 'files.requireStrictness',
        message: expect.stringContaining(`is '${requireStrictness}', and this machine gives '`) as unknown as string,
      });
    }
  });

  it('a wrong root stops it', async () => {
    await plantTree(root, { file: '' });
    for (const wrong of [join(root, 'missing'), join(root, 'file'), 'relative', '/']) {
      await expect(start({ root: wrong })).rejects.toMatchObject({ option: 'files.root' });
    }
  });

  it('a root that is a link is resolved once: to replace it later changes nothing', async () => {
    await plantTree(base, { first: { acme: { file: 'first' } }, second: { acme: { file: 'second' } } });
    await plantTree(root, { current: symlink(join(base, 'first')) });
    const service = await start({ root: join(root, 'current') });
    rmSync(join(root, 'current'));
    await plantTree(root, { current: symlink(join(base, 'second')) });
    expect(await service.forTenant('acme').readFile('file', { encoding: 'utf8' })).toBe('first');
  });
});

describe('without files', () => {
  it('a call says which option is missing', async () => {
    const service = await start(undefined);
    for (const call of [() => service.forTenant('acme'), () => service.readTenantFile('acme', 'file')]) {
      await expect((async () => call())()).rejects.toMatchObject({
        code: 'invalid_configuration',
        option: 'files',
        message: expect.stringContaining('files is not set') as unknown as string,
      });
    }
  });

  it('a call before the application is initialized says so', () => {
    const service = new FileService({ root, readOnly: false, engine: 'auto' });
    expect(() => service.forTenant('acme')).toThrow('is used before the application is initialized');
  });
});

describe('at shutdown', () => {
  it('closes the roots, and a file that is still open stays so', async () => {
    await plantTree(root, { acme: { file: 'text' } });
    const service = await start({});
    const file = await service.forTenant('acme').open('file');
    expect(await settledDescriptorsBelow(root, 2)).toBe(2);
    service.onApplicationShutdown();
    expect(await settledDescriptorsBelow(root, 1)).toBe(1);
    expect((await file.read()).toString()).toBe('text');
    await file.close();
  });
});

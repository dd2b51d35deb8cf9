import { describe, expect, it } from '@jest/globals';
import { readText } from './package-files.js';
import { runNode } from './run-node.js';

/** What the main entry promises that exists at run time. */
const VALUES = [
  'ApiKeySecret',
  'ApiKeyService',
  'ApiKeyStore',
  'ApiKeyValidationMiddleware',
  'CurrentPrincipal',
  'CurrentTenant',
  'FileService',
  'InMemoryApiKeyStore',
  'KeyfenceModule',
  'ManagedApiKeyStore',
  'NoHostEscapePipe',
  'RequireAnyScope',
  'RequireApiKey',
  'RequireScopes',
  'ScopedKeyGuard',
  'ScopesByMethod',
  'SkipApiKey',
  'TenantContext',
  'TenantDirectory',
  'TenantFile',
  'TenantFiles',
  'TenantPath',
  'validateNoHostEscape',
];

/** What exists for the compiler alone. */
const TYPES = ['ApiKeyRecord', 'FileStat', 'KeyfenceOptions', 'Principal', 'Scope', 'TenantId'];

const NAMES_OF_ESM = "const names = Object.keys(await import('nestjs-keyfence')); console.log(JSON.stringify(names));";
const NAMES_OF_CJS = "console.log(JSON.stringify(Object.keys(require('./dist/cjs/index.js'))));";

function namesPrintedBy(type: 'module' | 'commonjs', code: string): string[] {
  const { status, stdout, stderr } = runNode(type, code);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

describe('the main entry', () => {
  const esm = namesPrintedBy('module', NAMES_OF_ESM);
  const cjs = namesPrintedBy('commonjs', NAMES_OF_CJS);

  it.each([
    ['ESM', esm],
    ['CommonJS', cjs],
  ])('exports every promised name as %s', (_kind, names) => {
    expect(VALUES.filter((name) => !names.includes(name))).toEqual([]);
  });

  it('exports the same from both builds', () => {
    expect(cjs.toSorted()).toEqual(esm.toSorted());
  });

  it.each(['dist/esm/index.d.ts', 'dist/cjs/index.d.ts'])('declares every promised name in %s', (file) => {
    const declared: readonly string[] = readText(file).match(/\w+/g) ?? [];
    expect([...VALUES, ...TYPES].filter((name) => !declared.includes(name))).toEqual([]);
  });

  it('gives the same classes to import and to require', () => {
    const code = `
      import { createRequire } from 'node:module';
      import * as imported from 'nestjs-keyfence';
      const required = createRequire(process.cwd() + '/here.js')('nestjs-keyfence');
      console.log(Object.keys(imported).filter((name) => imported[name] !== required[name]).join());`;
    expect(runNode('module', code)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

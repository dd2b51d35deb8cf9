import { posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { BUILDS, filesIn, manifest, readText } from './package-files.js';

/**
 * All that the declarations may name. A package that an application may not have would be a compile error in every
 * application that checks declarations (`skipLibCheck: false`), and a path into a package breaks with its next version.
 */
const MAY_BE_NAMED = ['@nestjs/common', '@nestjs/core', 'rxjs', 'node:fs', 'node:http', 'node:stream'];

function modulesNamedIn(file: string): string[] {
  const { importedFiles, typeReferenceDirectives } = ts.preProcessFile(readText(file), true, true);
  return [...importedFiles, ...typeReferenceDirectives].map(({ fileName }) => fileName);
}

describe.each(BUILDS)('the declarations in dist/%s', (build) => {
  const folder = `dist/${build}`;
  const files = filesIn(folder, '.d.ts');

  it('name only what every application has', () => {
    const named = new Set(files.flatMap(modulesNamedIn).filter((name) => !name.startsWith('.')));
    expect([...named].filter((name) => !MAY_BE_NAMED.includes(name))).toEqual([]);
    // Not an empty list by a mistake of this test.
    expect([...named]).toContain('@nestjs/common');
  });

  it('name only files that are there', () => {
    const missing = files.flatMap((file) =>
      modulesNamedIn(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => posix.join(posix.dirname(file), name.replace(/\.js$/, '.d.ts')))
        .filter((target) => !files.includes(target)),
    );
    expect(missing).toEqual([]);
  });

  it('have a guarantee and its limits on the directory', () => {
    const text = docOf(`${folder}/confined-fs/confined-directory.d.ts`, 'class ConfinedDirectory');
    expect(text).toContain('**Guarantee**');
    expect(text).toContain('**Limits**');
  });

  it('have what is no promise on validateNoHostEscape()', () => {
    expect(docOf(`${folder}/host/validate-no-host-escape.d.ts`, 'function validateNoHostEscape')).not.toBe('');
  });

  it('have the default of every optional option', () => {
    const options = readText(`${folder}/options.d.ts`);
    const described = [...options.matchAll(/\/\*\*([^]*?)\*\/\s*(?:readonly )?(\w+)\?[:(]/g)];
    const groups = ['apiKey', 'files', 'middleware'];
    const withoutDefault = described
      .filter(([, doc = '', name = '']) => !groups.includes(name) && name !== 'rootFor' && !doc.includes('@default'))
      .map(([, , name]) => name);
    expect(withoutDefault).toEqual([]);
    expect(described.map(([, , name]) => name)).toEqual(
      expect.arrayContaining(['header', 'bearer', 'guard', 'engine']),
    );
  });

  it.each(['KeyfenceModule', 'ScopedKeyGuard', 'ApiKeyValidationMiddleware', 'FileService', 'TenantContext'])(
    'have a comment on %s',
    (name) => {
      const file = files.find((candidate) => readText(candidate).includes(`declare class ${name} `)) ?? '';
      expect(docOf(file, `class ${name}`)).not.toBe('');
    },
  );
});

/** The comment that stands before a declaration. */
function docOf(file: string, declaration: string): string {
  const text = readText(file);
  const before = text.slice(0, text.indexOf(`declare ${declaration}`));
  return /\/\*\*([^]*)\*\/\s*export $/.exec(before.slice(before.lastIndexOf('/**')))?.[1] ?? '';
}

describe('the manifest', () => {
  it('declares every package that the declarations name', () => {
    const packages = MAY_BE_NAMED.filter((name) => !name.startsWith('node:'));
    expect(packages.filter((name) => !(name in manifest.peerDependencies))).toEqual([]);
  });
});

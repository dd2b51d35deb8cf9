import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { manifest, readText, ROOT } from './package-files.js';

interface Target {
  readonly conditions: readonly string[];
  readonly path: string;
}

function targetsOf(value: unknown, conditions: readonly string[]): Target[] {
  if (typeof value === 'string') return [{ conditions, path: value }];
  return Object.entries(value as Record<string, unknown>).flatMap(([condition, inner]) =>
    targetsOf(inner, [...conditions, condition]),
  );
}

const targets = targetsOf(manifest.exports, []);

describe('package.json', () => {
  it.each(targets)('has a file for $conditions', ({ path }) => {
    expect(existsSync(join(ROOT, path))).toBe(true);
  });

  it.each(['main', 'module', 'types'] as const)('has a file for %s, for those who know no exports', (field) => {
    expect(existsSync(join(ROOT, manifest[field]))).toBe(true);
  });

  it.each(Object.entries(manifest.exports).filter(([, value]) => typeof value !== 'string'))(
    'lets %s be imported and required, with module-sync first and types before code',
    (_subpath, conditions) => {
      expect(Object.keys(conditions as object)).toEqual(['module-sync', 'import', 'require']);
      for (const inner of Object.values(conditions as Record<string, object>)) {
        expect(Object.keys(inner)).toEqual(['types', 'default']);
      }
    },
  );

  it('gives one copy to import and require: module-sync is the copy of import', () => {
    const { '.': main } = manifest.exports as Record<string, Record<string, unknown>>;
    expect(main?.['module-sync']).toEqual(main?.import);
    expect(main?.require).not.toEqual(main?.import);
  });

  // `moduleResolution: node`, which applications of Nest 10 have, reads no exports.
  it('leads compilers that read no exports to the same declarations, for every entry', () => {
    const targetsByPath = Object.entries(manifest.exports as Record<string, { require?: { types: string } }>);
    const expected = targetsByPath.flatMap(([subpath, { require }]) =>
      subpath === '.' || require === undefined ? [] : [[subpath.slice(2), [require.types]]],
    );
    expect(Object.fromEntries(expected)).toEqual(manifest.typesVersions['*']);
    expect(expected.length).toBeGreaterThan(3);
  });

  it('says of each build what kind of modules it holds', () => {
    expect(manifest.type).toBe('module');
    expect(JSON.parse(readText('dist/cjs/package.json'))).toEqual({ type: 'commonjs' });
  });
});

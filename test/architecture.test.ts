import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** A folder imports only lower floors and itself; siblings on one floor never import each other. */
const FLOORS: Readonly<Record<string, number>> = {
  errors: 0,
  encoding: 0,
  time: 0,
  principal: 1,
  'confined-fs': 1,
  host: 1,
  tenant: 2,
  events: 2,
  'api-key': 3,
  files: 3,
  scope: 4,
  'stores/postgres': 4,
  'stores/redis': 4,
  'stores/sqlite': 4,
  testing: 4,
  '.': 5,
};

/** Each power has one home: a folder or a file, and there what may be taken of the module. */
const POWERS: readonly {
  readonly module: string;
  readonly homes: Readonly<Record<string, readonly string[] | 'all'>>;
}[] = [
  {
    module: 'node:fs',
    homes: {
      'confined-fs/': 'all',
      'host/': ['lstatSync', 'realpathSync'],
      // To make the database's own file, for its owner alone.
      'stores/sqlite/database-file.ts': ['closeSync', 'existsSync', 'openSync'],
    },
  },
  { module: 'node:crypto', homes: { 'api-key/key-digest.ts': 'all' } },
  { module: 'node:async_hooks', homes: { 'tenant/async-context.ts': 'all' } },
];

const ROLE = /\.(?:module|guard|middleware|decorator|service|pipe|store|interceptor)\.ts$/;

type Sources = ReadonlyMap<string, string>;

interface Import {
  readonly module: string;
  readonly names: readonly string[];
}

function readSources(): Sources {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));
}

function importsOf(source: string): Import[] {
  const statements = source.matchAll(/^(?:import|export)\s+(?:type\s+)?([^;'"]*?)\s*from\s+'([^']+)'/gm);
  const dynamic = source.matchAll(/\b(?:import|getBuiltinModule|require)\(\s*'([^']+)'/g);
  return [
    ...[...statements].map(([, names = '', module = '']) => ({ module, names: namesOf(names) })),
    ...[...dynamic].map(([, module = '']) => ({ module, names: ['*'] })),
  ];
}

function namesOf(clause: string): string[] {
  const list = /\{([^}]*)\}/.exec(clause)?.[1];
  if (list === undefined) return ['*'];
  return list
    .split(',')
    .map((name) => name.replace(/\btype\s/, '').trim())
    .filter((name) => name !== '');
}

function resolveImport(file: string, module: string): string | undefined {
  return module.startsWith('.') ? normalize(join(dirname(file), module)).replace(/\.js$/, '.ts') : undefined;
}

/** The folder that has a floor. Each store has its own, so that they are siblings too. */
function folderOf(file: string): string {
  const [folder = '.', inner = ''] = dirname(file).split('/');
  return folder === 'stores' ? `${folder}/${inner}` : folder;
}

function floorViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) =>
    importsOf(source).flatMap(({ module }) => {
      const target = resolveImport(file, module);
      if (target === undefined || file === 'index.ts') return [];
      const [from, to] = [folderOf(file), folderOf(target)];
      const allowed = target !== 'index.ts' && (from === to || floorOf(to) < floorOf(from));
      return allowed ? [] : [`${file} imports ${target}`];
    }),
  );
}

function floorOf(folder: string): number {
  const floor = FLOORS[folder];
  if (floor === undefined) throw new Error(`src/${folder} has no floor: give it one here and in the design.`);
  return floor;
}

function powerViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) =>
    importsOf(source).flatMap(({ module, names }) => {
      const power = POWERS.find(
        (candidate) => module === candidate.module || module.startsWith(`${candidate.module}/`),
      );
      if (power === undefined) return [];
      const home = Object.entries(power.homes).find(
        ([place]) => file === place || (place.endsWith('/') && file.startsWith(place)),
      );
      const allowed = home?.[1] === 'all' ? names : (home?.[1] ?? []);
      const taken = names.filter((name) => !allowed.includes(name));
      return taken.length === 0 ? [] : [`${file} takes ${taken.join(', ')} of ${module}`];
    }),
  );
}

function nestViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) => {
    const free = ROLE.test(file) || folderOf(file) === 'errors';
    const imported = importsOf(source).filter(({ module }) => module.startsWith('@nestjs/'));
    return free || imported.length === 0 ? [] : [`${file} imports ${imported.map(({ module }) => module).join(', ')}`];
  });
}

function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (path.includes(file) || done.has(file)) return;
    for (const { module } of importsOf(sources.get(file) ?? '')) {
      const target = resolveImport(file, module);
      if (target !== undefined) visit(target, [...path, file]);
    }
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}

function textViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) => [
    // Characters that look alike or turn the reading direction could hide code from a reviewer.
    // eslint-disable-next-line no-control-regex -- it looks for what is not ASCII
    ...(/[^\u0000-\u007f]/.test(source) ? [`${file} has a character outside ASCII`] : []),
    ...(/:\s*any\b|<any>|\bas any\b|@ts-ignore|@ts-expect-error/.test(source) ? [`${file} gives up a type`] : []),
    ...(/^export default\b/m.test(source) ? [`${file} has a default export`] : []),
    ...(/^export \*/m.test(source) ? [`${file} exports everything of a file`] : []),
  ]);
}

const RULES = [
  {
    rule: 'a folder imports only lower floors and itself, and nothing imports the public entry',
    violations: floorViolations,
    offence: ['principal/scope.ts', "import { ApiKeyRecord } from '../api-key/api-key-record.js';"],
  },
  {
    rule: 'siblings on one floor never import each other',
    violations: floorViolations,
    offence: ['files/file.service.ts', "import { digestKey } from '../api-key/key-digest.js';"],
  },
  {
    rule: 'no store imports another',
    violations: floorViolations,
    offence: [
      'stores/sqlite/key-row.ts',
      "import { PostgresApiKeyStore } from '../postgres/postgres-api-key.store.js';",
    ],
  },
  {
    rule: 'each power has one home',
    violations: powerViolations,
    offence: ['files/file.service.ts', "import { readFileSync } from 'node:fs';"],
  },
  {
    rule: 'host/ takes no more of node:fs than it needs to resolve a path',
    violations: powerViolations,
    offence: ['host/validate-no-host-escape.ts', "import { openSync, realpathSync } from 'node:fs';"],
  },
  {
    rule: 'a power that is loaded by its name counts too',
    violations: powerViolations,
    offence: ['scope/access-rule.ts', "const fs = process.getBuiltinModule('node:fs');"],
  },
  {
    rule: 'a file without a role suffix knows nothing of Nest',
    violations: nestViolations,
    offence: ['api-key/credential.ts', "import { Injectable } from '@nestjs/common';"],
  },
  {
    rule: 'no file imports itself by a detour',
    violations: cycles,
    offence: ['principal/scope.ts', "import { isTenantId } from './scope.js';"],
  },
  {
    rule: 'sources are ASCII, typed, and export by name',
    violations: textViolations,
    offence: ['principal/scope.ts', 'export default 1 as any;'],
  },
] as const;

describe('the house', () => {
  const sources = readSources();

  it('has sources to check', () => {
    expect(sources.size).toBeGreaterThan(40);
    expect([...sources.values()].flatMap(importsOf).length).toBeGreaterThan(100);
  });

  describe.each(RULES)('$rule', ({ violations, offence }) => {
    it('holds', () => {
      expect(violations(sources)).toEqual([]);
    });

    it('would be noticed if it did not (control)', () => {
      expect(violations(new Map([...sources, offence]))).not.toEqual([]);
    });
  });

  it('compares secrets in one place', () => {
    const users = [...sources].filter(([, source]) => source.includes('timingSafeEqual')).map(([file]) => file);
    expect(users).toEqual(['api-key/key-digest.ts']);
  });
});

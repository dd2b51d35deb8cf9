import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parseConfinedPath } from '../../src/confined-fs/confined-path.js';
import { enginesHere, openDirectory } from '../support/engines.js';
import { plantTree, temporaryDirectory } from '../support/file-tree.js';
import { openDescriptorsBelow, settledDescriptorsBelow } from './open-descriptors.js';
import { outcomeOf } from './refusal-of.js';

/** A string and what a strict POSIX rule says of it as it is, and after one and two percent-decodings. */
interface TraversalString {
  readonly s: string;
  readonly raw: string;
  readonly pct1: string;
  readonly pct2: string;
}

/** See fixtures/README.md for where it comes from. */
const STRINGS = readFileSync(fileURLToPath(new URL('../fixtures/traversal-strings.jsonl', import.meta.url)), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as TraversalString);

const SECRET = 'outside';

/** A directory in which the strings that aim at /etc/passwd, boot.ini or win.ini would find them outside. */
const base = temporaryDirectory();
const root = join(base, 'one/two/three/acme');
await plantTree(base, {
  ...{ 'boot.ini': SECRET, 'win.ini': SECRET, windows: { 'win.ini': SECRET }, etc: { passwd: SECRET, hosts: SECRET } },
  one: { 'boot.ini': SECRET, etc: { passwd: SECRET }, two: { three: { acme: { 'inside.txt': 'inside' } } } },
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe(`${STRINGS.length} strings of known attacks`, () => {
  it('are there', () => {
    expect(STRINGS.length).toBeGreaterThan(3_000);
    expect(STRINGS.filter(({ raw }) => raw.startsWith('reject:')).length).toBeGreaterThan(1_000);
  });

  it('are refused wherever a strict rule refuses them', async () => {
    const accepted: string[] = [];
    for (const { s, raw } of STRINGS) {
      const outcome = await outcomeOf(() => parseConfinedPath(s));
      if (raw.startsWith('reject:') && outcome !== 'path_escape' && outcome !== 'invalid_path') accepted.push(s);
    }
    expect(accepted).toEqual([]);
  });

  it.each(['pct1', 'pct2'] as const)('are refused where they lead out after decoding (%s)', (decoding) => {
    const leadsOut = /^reject:(?:dotdot|absolute|backslash|drive|nul)/;
    const accepted = STRINGS.filter((string) => leadsOut.test(string[decoding]) && isPath(string.s));
    expect(accepted).toEqual([]);
  });
});

describe.each(await enginesHere())('the strings that the grammar takes, on %s', (_name, engine) => {
  it('open nothing outside', async () => {
    const before = openDescriptorsBelow(base);
    const { files, roots } = openDirectory(engine, root);
    const served: unknown[] = [];
    for (const { s } of STRINGS) {
      const outcome = await outcomeOf(async () => {
        served.push([s, await files.readFile(s, { encoding: 'utf8' })]);
      });
      expect(['path_escape', 'invalid_path', 'file_not_found']).toContain(outcome);
    }
    expect(served).toEqual([]);
    expect(await files.readFile('inside.txt', { encoding: 'utf8' })).toBe('inside');
    roots.close();
    expect(await settledDescriptorsBelow(base, before)).toBe(before);
  });

  it('write inside, under the very name that was asked for', async () => {
    const { files, roots } = openDirectory(engine, root);
    const names = STRINGS.map(({ s }) => s).filter((s) => !s.includes('/') && isPath(s));
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      await files.writeFile(name, name);
      expect(readFileSync(`${root}/${name}`, 'utf8')).toBe(name);
      await files.remove(name);
    }
    roots.close();
  });
});

describe('the same strings joined to the directory (control)', () => {
  it('read what lies outside', () => {
    const leaking = STRINGS.filter(({ s }) => readIfAny(join(root, s)) === SECRET);
    expect(leaking.length).toBeGreaterThan(5);
  });
});

function isPath(text: string): boolean {
  try {
    return parseConfinedPath(text) === text;
  } catch {
    return false;
  }
}

function readIfAny(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { enginesHere } from '../support/engines.js';
import { fifo, hardLink, symlink, unixSocket } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { outcomeOf } from './refusal-of.js';

const PATHS = [
  ...['file', 'one/two/three/file', 'missing', 'one/missing', 'one/two/three/missing', 'one', 'file/below', 'link'],
  ...['link/below', 'dir-link/file', 'dir-link/two/three/file', 'hard', 'pipe', 'socket', '../file', '', 'a//b', 'nul'],
];

const VERBS: readonly ((files: ConfinedDirectory, path: string) => Promise<unknown>)[] = [
  async (files, path) => (await files.open(path)).close(),
  (files, path) => files.readFile(path),
  async (files, path) => (await files.createReadStream(path)).destroy(),
  (files, path) => files.createReadStream(path, { start: 1_000 }),
  (files, path) => files.stat(path),
  (files, path) => files.exists(path),
  async (files, path) => {
    for await (const entry of files.list(path, { recursive: true })) if (entry.kind === 'file') return;
  },
  (files, path) => files.writeFile(path, 'text', { exclusive: true }),
  (files, path) => files.writeFile(path, 'too long', { maxBytes: 3 }),
  (files, path) => files.writeFile(path, Readable.from(failing())),
  (files, path) => files.mkdir(`${path}/made/below`),
];

async function* failing(): AsyncGenerator<string> {
  yield 'text';
  await Promise.reject(new Error('The source failed.'));
}

/** All descriptors of this process, when the thread pool has closed what it was told to. */
async function descriptors(expected?: number): Promise<number> {
  for (let round = 0; round < 500 && readdirSync('/proc/self/fd').length !== expected; round += 1) await stat('/');
  return readdirSync('/proc/self/fd').length;
}

describe.each(await enginesHere())('descriptors of the process on %s', (_name, engine) => {
  const bench = useWorkbench(engine);

  it(`are as many after ${PATHS.length * VERBS.length * 20} calls that fail or succeed as before`, async () => {
    await bench().plant({
      ...{ file: 'text', one: { two: { three: { file: 'text' } } }, link: symlink('file'), 'dir-link': symlink('one') },
      ...{ original: '', hard: hardLink('original'), pipe: fifo(), socket: unixSocket() },
    });
    const outcomes = new Map<unknown, number>();
    const callAll = async (): Promise<void> => {
      for (const path of PATHS) {
        for (const verb of VERBS) {
          const outcome = await outcomeOf(() => verb(bench().files, path));
          const key = outcome instanceof Error ? outcome.message : outcome;
          outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
        }
      }
    };
    await callAll();
    const before = await descriptors();
    for (let round = 0; round < 20; round += 1) await callAll();
    expect(await descriptors(before)).toBe(before);
    // The calls were of every kind.
    for (const each of ['ok', 'path_escape', 'invalid_path', 'file_not_found', 'not_a_file', 'file_exists']) {
      expect(outcomes.get(each)).toBeGreaterThan(20);
    }
    expect(outcomes.get('The source failed.')).toBeGreaterThan(20);
  });
});

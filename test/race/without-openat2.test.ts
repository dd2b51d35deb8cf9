import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { selectEngine } from '../../src/confined-fs/select-engine.js';

const PROGRAM = fileURLToPath(new URL('without-openat2-program.mjs', import.meta.url));
const FILTER = new URL('deny-openat2.mjs', import.meta.url).href;
const BUILT = fileURLToPath(new URL('../../dist/esm/index.js', import.meta.url));

const obstacle = await findObstacle();

/** Why there is no openat2 here that could be taken away, or nothing to take it from. */
async function findObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `seccomp is of Linux, and this is ${process.platform}`;
  if (!existsSync(BUILT)) return 'the package is not built: npm run build';
  return selectEngine('openat2').then(
    () => undefined,
    (error: unknown) => String(error),
  );
}

async function run(errno: string, options: { readonly filter: boolean; readonly argument?: string }): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...(options.filter ? ['--import', FILTER] : []), PROGRAM, options.argument ?? ''],
    { env: { ...process.env, KEYFENCE_DENY_OPENAT2: errno } },
  );
  return JSON.parse(stdout);
}

describe('where a seccomp filter denies openat2', () => {
  it('can be tested on this machine', () => {
    if (obstacle !== undefined) console.warn(`SECCOMP TESTS NOT RUN: ${obstacle}`);
    expect(process.env.KEYFENCE_REQUIRE_ALL === '1' ? obstacle : undefined).toBeUndefined();
  });

  if (obstacle === undefined) {
    it('control: without the filter the kernel engine is chosen', async () => {
      await expect(run('EPERM', { filter: false })).resolves.toEqual({
        engine: 'openat2',
        file: 'inside',
        link: 'path_escape',
      });
    });

    it.each(['EPERM', 'ENOSYS'])('chooses the procfs engine when the probe answers %s, and says why', async (errno) => {
      await expect(run(errno, { filter: true })).resolves.toEqual({
        engine: 'procfs',
        hint: expect.stringContaining(errno),
        file: 'inside',
        link: 'path_escape',
      });
    });

    it.each(['EPERM', 'ENOSYS'])('refuses, and opens nothing unconfined, when %s comes later', async (errno) => {
      await expect(run(errno, { filter: false, argument: 'later' })).resolves.toEqual({
        engine: 'openat2',
        file: 'storage_unavailable',
        link: 'storage_unavailable',
      });
    });
  }
});

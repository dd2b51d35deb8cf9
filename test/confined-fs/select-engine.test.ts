import { readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { EngineName } from '../../src/confined-fs/engine.js';
import { selectEngine } from '../../src/confined-fs/select-engine.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { enginesHere } from '../support/engines.js';

const here = new Map(await enginesHere());

/** Runs as if on another platform. */
async function onPlatform<T>(platform: NodeJS.Platform, call: () => Promise<T>): Promise<T> {
  const original = Object.getOwnPropertyDescriptor(process, 'platform');
  Object.defineProperty(process, 'platform', { value: platform, configurable: true });
  try {
    return await call();
  } finally {
    if (original !== undefined) Object.defineProperty(process, 'platform', original);
  }
}

describe('selectEngine()', () => {
  it.each([...here.keys()])('gives %s where that is asked for', async (name) => {
    const { engine, hint } = await selectEngine(name);
    expect(engine.name).toBe(name);
    expect(hint).toBeUndefined();
  });

  it.each([
    ['openat2', 'kernel'],
    ['procfs', 'procfs'],
    ['portable', 'best-effort'],
  ] as const)('%s is %s', (name, strictness) => {
    expect(here.get(name)?.strictness ?? strictness).toBe(strictness);
  });

  it("'auto' gives the strongest that works here", async () => {
    const strongest = (['openat2', 'procfs', 'portable'] as const).find((name) => here.has(name));
    expect((await selectEngine('auto')).engine.name).toBe(strongest);
  });

  it.each(['darwin', 'win32', 'freebsd'] as const)("'auto' is portable on %s, and says so", async (platform) => {
    const { engine } = await onPlatform(platform, () => selectEngine('auto'));
    expect(engine).toMatchObject({ name: 'portable', strictness: 'best-effort' });
  });

  it.each([
    ['darwin', 'openat2'],
    ['darwin', 'procfs'],
    ['win32', 'openat2'],
    ['win32', 'procfs'],
  ] as const)('on %s, %s stops the boot', async (platform, name) => {
    const refusal = onPlatform(platform, () => selectEngine(name));
    await expect(refusal).rejects.toBeInstanceOf(KeyfenceConfigurationError);
    await expect(refusal).rejects.toMatchObject({
      option: 'files.engine',
      message: expect.stringMatching(
        new RegExp(`is '${name}', which does not work here: .*${platform}`),
      ) as unknown as string,
    });
  });

  describe('where openat2 is not to be used (under --permission)', () => {
    const withPermission = async <T>(call: () => Promise<T>): Promise<T> => {
      Object.defineProperty(process, 'permission', { value: {}, configurable: true });
      try {
        return await call();
      } finally {
        Reflect.deleteProperty(process, 'permission');
      }
    };

    it("'auto' falls back to procfs, never to portable, and hints at what is missing", async () => {
      const { engine, hint } = await withPermission(() => selectEngine('auto'));
      expect(engine.name).toBe('procfs');
      expect(hint).toContain('--permission');
    });

    it("'openat2' stops the boot", async () => {
      await expect(withPermission(() => selectEngine('openat2'))).rejects.toMatchObject({
        option: 'files.engine',
        message: expect.stringContaining("is 'openat2', which does not work here") as unknown as string,
      });
    });
  });

  it.each<EngineName | 'auto'>(['auto', 'openat2', 'procfs', 'portable'])('%s leaves nothing open', async (name) => {
    if (name !== 'auto' && !here.has(name)) return;
    await selectEngine(name);
    const before = readdirSync('/proc/self/fd').length;
    await selectEngine(name);
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

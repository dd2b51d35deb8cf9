import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { FileContent } from '../../src/confined-fs/write-file.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { enginesHere } from '../support/engines.js';
import { useWorkbench } from './every-engine.js';
import { outcomeOf } from './refusal-of.js';

const TEXT = 'Grüße, 日本\n';
const PARTS = TEXT.split(/(?=.)/u);
const SOURCE_FAILED = new Error('The source failed.');

async function* chunks(...values: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const value of values) yield await Promise.resolve(value);
}

async function* failing(): AsyncGenerator<string> {
  yield 'a part of it';
  await Promise.reject(SOURCE_FAILED);
}

/** Every kind of content, each of them {@link TEXT}. */
const CONTENTS: readonly (readonly [name: string, make: () => FileContent])[] = [
  ['a string', () => TEXT],
  ['a Buffer', () => Buffer.from(TEXT)],
  [
    'a view of a larger buffer',
    () => new Uint8Array(Buffer.from(`xx${TEXT}xx`)).subarray(2, 2 + Buffer.byteLength(TEXT)),
  ],
  ['a Readable of bytes', () => Readable.from([Buffer.from(TEXT)])],
  ['a Readable of text', () => Readable.from(PARTS)],
  ['an async iterable of text', () => chunks(...PARTS)],
  ['an async iterable of bytes and text', () => chunks(Buffer.from(TEXT.slice(0, 4)), TEXT.slice(4))],
];

/** Sources that come to more than ten bytes, or to none. */
const TOO_LARGE: readonly (readonly [name: string, make: () => FileContent])[] = [
  ['a string', () => '01234567890'],
  ['a string of few characters', () => 'ßßßßßß'],
  ['a Buffer', () => Buffer.alloc(11)],
  ['a Readable', () => Readable.from(['012345', '67890'])],
  ['an async iterable', () => chunks('012345', '67890')],
];

describe.each(await enginesHere())('writeFile() on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const content = (path: string): string => readFileSync(join(bench().root, path), 'utf8');
  const names = (path = ''): string[] => readdirSync(join(bench().root, path)).sort();

  describe.each(CONTENTS)('of %s', (_content, make) => {
    it.each([{}, { exclusive: true }, { durable: true }, { exclusive: true, durable: true }, { maxBytes: 17 }])(
      'writes all of it, with %j, and nothing else',
      async (options) => {
        expect(Buffer.byteLength(TEXT)).toBe(16);
        const stat = await bench().files.writeFile('file.txt', make(), options);
        expect(stat).toMatchObject({ path: 'file.txt', kind: 'file', size: 16 });
        expect(stat.modifiedAt).toEqual(statSync(join(bench().root, 'file.txt')).mtime);
        expect(content('file.txt')).toBe(TEXT);
        expect(names()).toEqual(['file.txt']);
      },
    );
  });

  it('writes an empty file', async () => {
    for (const [path, source] of [
      ['text', ''],
      ['bytes', Buffer.alloc(0)],
      ['stream', Readable.from([])],
    ] as const) {
      expect(await bench().files.writeFile(path, source)).toMatchObject({ size: 0 });
      expect(content(path)).toBe('');
    }
  });

  it('writes more than one buffer', async () => {
    const large = Buffer.alloc(1_000_000, 'keyfence');
    await bench().files.writeFile('large', large);
    expect(readFileSync(join(bench().root, 'large')).equals(large)).toBe(true);
  });

  it('replaces a file by a new one, and does not write into the old', async () => {
    await bench().plant({ file: 'a longer text than the new one' });
    const before = statSync(join(bench().root, 'file')).ino;
    await bench().files.writeFile('file', 'new');
    expect(content('file')).toBe('new');
    expect(statSync(join(bench().root, 'file')).ino).not.toBe(before);
    expect(names()).toEqual(['file']);
  });

  it('makes missing parents', async () => {
    await bench().files.writeFile('one/two/three/file', 'text');
    expect(content('one/two/three/file')).toBe('text');
    expect(names('one/two/three')).toEqual(['file']);
  });

  it('writes twenty files of one name at once: one of them is there, whole', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(1_000));
    await Promise.all(texts.map((text) => bench().files.writeFile('dir/file', chunks(text))));
    expect(texts).toContain(content('dir/file'));
    expect(names('dir')).toEqual(['file']);
  });

  describe('exclusive', () => {
    it.each([
      ['file', 'file_exists'],
      ['directory', 'not_a_file'],
    ])('refuses where %s is, with %s, and leaves it', async (path, errorCode) => {
      await bench().plant({ file: 'old', directory: { inner: '' } });
      expect(await outcomeOf(() => bench().files.writeFile(path, 'new', { exclusive: true }))).toBe(errorCode);
      expect(content('file')).toBe('old');
      expect(names()).toEqual(['directory', 'file']);
    });

    it('refuses where the name is taken while the content arrives', async () => {
      const { root, files } = bench();
      const meanwhile = async function* (): AsyncGenerator<string> {
        yield 'new';
        writeFileSync(join(root, 'file'), await Promise.resolve('was first'));
      };
      expect(await outcomeOf(() => files.writeFile('file', meanwhile(), { exclusive: true }))).toBe('file_exists');
      expect(content('file')).toBe('was first');
      expect(names()).toEqual(['file']);
    });

    it('lets one of twenty through', async () => {
      const writes = Array.from({ length: 20 }, (_, index) =>
        outcomeOf(() => bench().files.writeFile('file', chunks(`${index}`), { exclusive: true })),
      );
      const outcomes = await Promise.all(writes);
      expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'file_exists')).toHaveLength(19);
      expect(content('file')).toBe(`${outcomes.indexOf('ok')}`);
    });
  });

  describe('what fails half-way leaves the old file and no temporary one', () => {
    it.each(TOO_LARGE)('beyond maxBytes: %s', async (_source, make) => {
      await bench().plant({ file: 'old' });
      for (const path of ['file', 'other']) {
        expect(await outcomeOf(() => bench().files.writeFile(path, make(), { maxBytes: 10 }))).toBe('file_too_large');
      }
      expect(content('file')).toBe('old');
      expect(names()).toEqual(['file']);
    });

    it('takes exactly maxBytes, and with 0 only nothing', async () => {
      expect(await bench().files.writeFile('ten', chunks('01234', '56789'), { maxBytes: 10 })).toMatchObject({
        size: 10,
      });
      expect(await bench().files.writeFile('none', '', { maxBytes: 0 })).toMatchObject({ size: 0 });
      expect(await outcomeOf(() => bench().files.writeFile('one', 'x', { maxBytes: 0 }))).toBe('file_too_large');
    });

    it.each([NaN, -1, 0.5])('does not take %d for no limit', async (maxBytes) => {
      const write = bench().files.writeFile('file', 'text', { maxBytes });
      await expect(write).rejects.toBeInstanceOf(KeyfenceConfigurationError);
      expect(names()).toEqual([]);
    });

    it('leaves a stream that was too large open, so that its sender can be answered', async () => {
      const source = Readable.from(['012345', '67890', 'more']);
      await outcomeOf(() => bench().files.writeFile('file', source, { maxBytes: 10 }));
      expect(source.destroyed).toBe(false);
      source.destroy();
    });

    it.each([
      ['an async iterable', () => failing()],
      ['a Readable', () => Readable.from(failing())],
    ])('%s that fails: its own error is passed on', async (_source, make) => {
      await bench().plant({ file: 'old' });
      for (const path of ['file', 'other']) {
        await expect(bench().files.writeFile(path, make())).rejects.toBe(SOURCE_FAILED);
      }
      expect(content('file')).toBe('old');
      expect(names()).toEqual(['file']);
    });

    it('a Readable that is destroyed', async () => {
      await bench().plant({ file: 'old' });
      const source = new Readable({ read: () => undefined });
      source.push('a part of it');
      const written = bench().files.writeFile('file', source);
      source.destroy(SOURCE_FAILED);
      await expect(written).rejects.toBe(SOURCE_FAILED);
      expect(content('file')).toBe('old');
      expect(names()).toEqual(['file']);
    });

    it.each([42, null, { length: 3 }, new Uint16Array(2)])('%p among the chunks', async (value) => {
      const source = chunks('a part of it', value as unknown as string);
      await expect(bench().files.writeFile('file', source)).rejects.toBeInstanceOf(TypeError);
      expect(names()).toEqual([]);
    });
  });

  it.each([
    ['directory', 'not_a_file'],
    ['file/below', 'not_a_file'],
    ['../acme/file', 'path_escape'],
    ['/etc/keyfence', 'path_escape'],
    ['a/', 'invalid_path'],
    ['.keyfence-1.tmp', 'invalid_path'],
  ])('refuses %p with %s, and does not read the content', async (path, errorCode) => {
    await bench().plant({ directory: {}, file: 'old' });
    let read = false;
    const source = async function* (): AsyncGenerator<string> {
      read = true;
      yield await Promise.resolve('text');
    };
    expect(await outcomeOf(() => bench().files.writeFile(path, source()))).toBe(errorCode);
    expect(read).toBe(false);
    expect(names()).toEqual(['directory', 'file']);
    expect(existsSync('/etc/keyfence')).toBe(false);
  });

  describe('modes', () => {
    it.each([
      [0o000, 0o640, 0o750],
      [0o022, 0o640, 0o750],
      [0o027, 0o640, 0o750],
      [0o077, 0o600, 0o700],
    ])('under umask %o: files %o, directories %o', async (umask, fileMode, directoryMode) => {
      const original = process.umask(umask);
      try {
        await bench().files.writeFile('one/two/file', 'text');
        await bench().files.writeFile('exclusive', chunks('text'), { exclusive: true });
        await bench().files.mkdir('made/deep');
      } finally {
        process.umask(original);
      }
      const mode = (path: string): number => statSync(join(bench().root, path)).mode & 0o7777;
      expect(['one/two/file', 'exclusive'].map(mode)).toEqual([fileMode, fileMode]);
      expect(['one', 'one/two', 'made', 'made/deep'].map(mode)).toEqual(Array(4).fill(directoryMode));
    });
  });

  it('does nothing at all where files are read-only', async () => {
    await bench().plant({ file: 'old', empty: {} });
    const files = bench().open(bench().root, { readOnly: true });
    expect(await outcomeOf(() => files.writeFile('file', 'new'))).toBe('storage_unavailable');
    expect(await outcomeOf(() => files.writeFile('../file', 'new'))).toBe('path_escape');
    expect(await outcomeOf(() => files.mkdir('directory'))).toBe('storage_unavailable');
    expect(await outcomeOf(() => files.remove('empty'))).toBe('storage_unavailable');
    expect(await files.readFile('file', { encoding: 'utf8' })).toBe('old');
    expect(names()).toEqual(['empty', 'file']);
  });
});

import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { enginesHere } from '../support/engines.js';
import { fifo, symlink } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { outcomeOf, refusalOf } from './refusal-of.js';

const TEXT = 'Grüße, 日本\n';
const MODIFIED = new Date('2024-02-29T12:00:00Z');

describe.each(await enginesHere())('ConfinedDirectory on %s', (_name, engine) => {
  const bench = useWorkbench(engine);

  it('tells what holds it', () => {
    expect(bench().files.strictness).toBe(engine.strictness);
  });

  describe('readFile()', () => {
    it.each(['a.txt', 'one/a.txt', 'one/two/three/a.txt', 'sp ace/日本-é.txt', '.hidden', '100%.txt', 'a..b'])(
      'gives the bytes of %s, and its text where an encoding is given',
      async (path) => {
        await bench().files.writeFile(path, TEXT);
        expect(await bench().files.readFile(path)).toEqual(Buffer.from(TEXT));
        expect(await bench().files.readFile(path, { encoding: 'utf8' })).toBe(TEXT);
        expect(await bench().files.readFile(path, { encoding: 'base64' })).toBe(Buffer.from(TEXT).toString('base64'));
      },
    );

    it.each([0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000])('gives all of %d bytes', async (size) => {
      const bytes = Buffer.alloc(size, 'keyfence');
      await bench().plant({ file: bytes });
      expect((await bench().files.readFile('file')).equals(bytes)).toBe(true);
    });

    it('takes a name that is NFC for another than its NFD form, as the disk does', async () => {
      await bench().plant({ 'caf\u00e9': 'composed' });
      expect(await outcomeOf(() => bench().files.readFile('cafe\u0301'))).toBe('file_not_found');
      expect(await bench().files.readFile('caf\u00e9', { encoding: 'utf8' })).toBe('composed');
    });

    it.each([
      ['missing.txt', 'file_not_found'],
      ['missing/file.txt', 'file_not_found'],
      ['file/below', 'file_not_found'],
      ['file/below/and/further/down', 'file_not_found'],
      ['directory', 'not_a_file'],
      ['directory/inner', 'not_a_file'],
      ['', 'invalid_path'],
      ['../acme/file', 'path_escape'],
    ])('refuses %p with %s', async (path, errorCode) => {
      await bench().plant({ file: 'text', directory: { inner: {} } });
      expect(await outcomeOf(() => bench().files.readFile(path))).toBe(errorCode);
      expect(await outcomeOf(() => bench().files.open(path))).toBe(errorCode);
      expect(await outcomeOf(() => bench().files.createReadStream(path))).toBe(errorCode);
    });

    it('names no path in a refusal, on the outside or in its cause', async () => {
      const refusal = await refusalOf(() => bench().files.readFile('missing/file.txt'));
      expect(JSON.stringify(refusal)).not.toContain(bench().base);
      expect(String(refusal)).not.toContain(bench().base);
      expect(refusal.cause).toBeUndefined();
      expect(refusal.message).toBe('There is no such file.');
    });

    it('refuses before it looks at the disk, and looks when it is called, not when awaited', async () => {
      const { files, plant } = bench();
      const missing = outcomeOf(() => files.readFile('late.txt'));
      await plant({ 'late.txt': 'too late' });
      expect(await missing).toBe('file_not_found');
    });
  });

  describe('createReadStream()', () => {
    it('gives the whole file, and of an empty one nothing', async () => {
      await bench().plant({ file: TEXT, empty: '' });
      expect(await text(await bench().files.createReadStream('file'))).toBe(TEXT);
      expect(await text(await bench().files.createReadStream('empty'))).toBe('');
    });

    it.each([
      [{ start: 0, end: 0 }, '0'],
      [{ start: 2, end: 4 }, '234'],
      [{ start: 9 }, '9'],
      [{ end: 3 }, '0123'],
      [{ start: 7, end: 1_000 }, '789'],
      [{ start: 5, end: Number.MAX_SAFE_INTEGER }, '56789'],
      [{}, '0123456789'],
    ])('gives the part %j, ends included', async (range, expected) => {
      await bench().plant({ file: '0123456789' });
      expect(await text(await bench().files.createReadStream('file', range))).toBe(expected);
    });

    it.each([
      { start: 10 },
      { start: -1 },
      { end: -1 },
      { start: 5, end: 4 },
      { start: 0.5 },
      { start: NaN },
      { end: Infinity },
      { start: 2 ** 53 },
    ])('refuses the range %j', async (range) => {
      await bench().plant({ file: '0123456789' });
      expect(await outcomeOf(() => bench().files.createReadStream('file', range))).toBe('range_not_satisfiable');
    });

    it('refuses every range of an empty file', async () => {
      await bench().plant({ empty: '' });
      expect(await outcomeOf(() => bench().files.createReadStream('empty', { start: 0 }))).toBe(
        'range_not_satisfiable',
      );
      expect(await outcomeOf(() => bench().files.createReadStream('empty', { end: 0 }))).toBe('range_not_satisfiable');
    });

    it('streams more than one buffer', async () => {
      const bytes = Buffer.alloc(300_000, 'keyfence');
      await bench().plant({ file: bytes });
      const range = { start: 1, end: 299_998 };
      const part = await buffer(await bench().files.createReadStream('file', range));
      expect(part.equals(bytes.subarray(1, 299_999))).toBe(true);
    });
  });

  describe('open()', () => {
    it('tells the path, size and time of what it opened', async () => {
      await bench().plant({ one: { file: TEXT } });
      utimesSync(join(bench().root, 'one/file'), MODIFIED, MODIFIED);
      const file = await bench().files.open('one/file');
      expect(file).toMatchObject({ path: 'one/file', size: Buffer.byteLength(TEXT), modifiedAt: MODIFIED });
      await file.close();
    });

    it('keeps to the object that was opened when the name is taken by another', async () => {
      await bench().plant({ file: 'first' });
      const file = await bench().files.open('file');
      await bench().files.writeFile('file', 'second');
      expect((await file.read()).toString()).toBe('first');
      await file.close();
      expect(await bench().files.readFile('file', { encoding: 'utf8' })).toBe('second');
    });
  });

  describe('stat() and exists()', () => {
    it('tells a file from a directory', async () => {
      await bench().plant({ file: TEXT, directory: { inner: { file: '' } } });
      for (const path of ['file', 'directory', 'directory/inner/file']) {
        utimesSync(join(bench().root, path), MODIFIED, MODIFIED);
      }
      expect(await bench().files.stat('file')).toEqual({
        path: 'file',
        kind: 'file',
        size: Buffer.byteLength(TEXT),
        modifiedAt: MODIFIED,
      });
      expect(await bench().files.stat('directory')).toEqual({
        path: 'directory',
        kind: 'directory',
        size: 0,
        modifiedAt: MODIFIED,
      });
      expect(await bench().files.stat('directory/inner/file')).toMatchObject({ kind: 'file', size: 0 });
    });

    it.each([
      ['file', true],
      ['directory', true],
      ['directory/inner', true],
      ['missing', false],
      ['missing/below', false],
      ['file/below', false],
    ])('exists(%p) is %p', async (path, expected) => {
      await bench().plant({ file: '', directory: { inner: {} } });
      expect(await bench().files.exists(path)).toBe(expected);
      expect(await outcomeOf(() => bench().files.stat(path))).toBe(expected ? 'ok' : 'file_not_found');
    });

    it.each([
      ['../globex', 'path_escape'],
      ['a//b', 'invalid_path'],
      ['link', 'path_escape'],
    ])('exists(%p) is refused, not denied', async (path, errorCode) => {
      await bench().plant({ link: symlink('nowhere') });
      expect(await outcomeOf(() => bench().files.exists(path))).toBe(errorCode);
    });
  });

  describe('mkdir()', () => {
    it.each(['one', 'one/two', 'one/two/three/four/five'])('makes %s and what is missing above it', async (path) => {
      await bench().files.mkdir(path);
      expect(statSync(join(bench().root, path)).isDirectory()).toBe(true);
      // Asking again is no error.
      expect(await outcomeOf(() => bench().files.mkdir(path))).toBe('ok');
    });

    it('makes nothing where a file is in the way', async () => {
      await bench().plant({ file: 'text', pipe: fifo() });
      expect(await outcomeOf(() => bench().files.mkdir('file'))).toBe('file_exists');
      expect(await outcomeOf(() => bench().files.mkdir('file/below'))).toBe('file_exists');
      expect(await outcomeOf(() => bench().files.mkdir('pipe'))).toBe('file_exists');
      expect(readFileSync(join(bench().root, 'file'), 'utf8')).toBe('text');
    });
  });

  describe('remove()', () => {
    it('removes a file and an empty directory', async () => {
      await bench().plant({ file: '', one: { two: { three: { file: '' } }, empty: {} } });
      for (const path of ['file', 'one/empty', 'one/two/three/file', 'one/two/three', 'one/two', 'one']) {
        expect(await outcomeOf(() => bench().files.remove(path))).toBe('ok');
        expect(existsSync(join(bench().root, path))).toBe(false);
      }
    });

    it.each([
      ['full', 'directory_not_empty'],
      ['missing', 'file_not_found'],
      ['missing/below', 'file_not_found'],
      ['file/below', 'file_not_found'],
      ['..', 'path_escape'],
      ['', 'invalid_path'],
      ['.', 'invalid_path'],
    ])('refuses %p with %s', async (path, errorCode) => {
      await bench().plant({ full: { file: '' }, file: '' });
      expect(await outcomeOf(() => bench().files.remove(path))).toBe(errorCode);
      expect(existsSync(join(bench().root, 'full/file'))).toBe(true);
    });
  });
});

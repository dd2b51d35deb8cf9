import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { enginesHere } from '../support/engines.js';
import { useWorkbench } from './every-engine.js';
import { openDescriptorsBelow, settledDescriptorsBelow } from './open-descriptors.js';

const LARGE = Buffer.alloc(300_000, 'keyfence');

describe.each(await enginesHere())('an open file on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  /** The descriptors on the file itself; the directory's own is not counted. */
  const descriptors = (): number => openDescriptorsBelow(join(bench().root, 'file'));
  const settled = (expected: number): Promise<number> => settledDescriptorsBelow(join(bench().root, 'file'), expected);

  it('holds one descriptor, and gives it back once however often it is closed', async () => {
    await bench().plant({ file: 'text' });
    const file = await bench().files.open('file');
    expect(descriptors()).toBe(1);
    await file.close();
    expect(await settled(0)).toBe(0);
    // A second close() that closed the number again would close this one.
    const other = await bench().files.open('file');
    await Promise.all([file.close(), file.close(), file[Symbol.asyncDispose]()]);
    expect((await other.read()).toString()).toBe('text');
    await other.close();
  });

  it('is read as often as wished, at once too', async () => {
    await bench().plant({ file: LARGE });
    const file = await bench().files.open('file');
    const reads = await Promise.all([file.read(), file.read(), text(file.createReadStream()), file.read()]);
    expect(reads.every((bytes) => LARGE.equals(Buffer.from(bytes)))).toBe(true);
    await file.close();
  });

  it('is of no use when it is closed', async () => {
    await bench().plant({ file: 'text' });
    const file = await bench().files.open('file');
    await file.close();
    await expect(file.read()).rejects.toThrow('This file is closed.');
    expect(() => file.createReadStream()).toThrow('This file is closed.');
  });

  it('stays open for a stream that runs, and until that ends', async () => {
    await bench().plant({ file: LARGE });
    const file = await bench().files.open('file');
    const stream = file.createReadStream();
    await file.close();
    expect(descriptors()).toBe(1);
    expect(await text(stream)).toBe(LARGE.toString());
    expect(await settled(0)).toBe(0);
  });

  it('stays open until the last of several streams ends, and no longer', async () => {
    await bench().plant({ file: LARGE });
    const file = await bench().files.open('file');
    const streams = [file.createReadStream({ start: 1 }), file.createReadStream({ end: 9 }), file.createReadStream()];
    await file.close();
    const [first, ...others] = streams;
    first?.destroy();
    expect(await Promise.all(others.map((stream) => text(stream)))).toEqual(['keyfencek' + 'e', LARGE.toString()]);
    expect(await settled(0)).toBe(0);
  });

  it('stays open for a read that runs', async () => {
    await bench().plant({ file: LARGE });
    const file = await bench().files.open('file');
    const reading = file.read();
    await file.close();
    expect((await reading).equals(LARGE)).toBe(true);
    expect(await settled(0)).toBe(0);
  });

  it('is freed by a stream that is broken off, whenever that is', async () => {
    await bench().plant({ file: LARGE });
    const unread = await bench().files.createReadStream('file');
    unread.destroy();
    const broken = await bench().files.createReadStream('file');
    await once(broken, 'readable');
    broken.destroy();
    const inLoop = await bench().files.createReadStream('file');
    for await (const chunk of inLoop) if (chunk !== '') break;
    expect(await settled(0)).toBe(0);
  });

  it('is freed when the range is refused', async () => {
    await bench().plant({ file: 'text' });
    await expect(bench().files.createReadStream('file', { start: 4 })).rejects.toThrow();
    expect(await settled(0)).toBe(0);
  });

  it('gives what is left of a file that shrinks after it was opened', async () => {
    for (const size of [4, 100_000]) {
      await bench().plant({ file: Buffer.alloc(size, 'x') });
      const file = await bench().files.open('file');
      truncateSync(join(bench().root, 'file'), 3);
      expect((await file.read()).toString()).toBe('xxx');
      expect(await text(file.createReadStream())).toBe('xxx');
      await file.close();
    }
  });

  it('outlives the cache it came from', async () => {
    await bench().plant({ file: 'text' });
    const file = await bench().files.open('file');
    bench().roots.close();
    expect((await file.read()).toString()).toBe('text');
    await file.close();
  });

  it('is closed by whoever lets it go with "await using"', async () => {
    await bench().plant({ file: 'text' });
    const file = await bench().files.open('file');
    await file[Symbol.asyncDispose]();
    expect(await settled(0)).toBe(0);
  });
});

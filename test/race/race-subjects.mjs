import { readdir, readFile, writeFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';

/**
 * What many programs do: the text of the path is checked, then the path is used. It must lose the race, or the attack is
 * none.
 */
export const NAIVE = { name: 'naive control', kind: 'control', open: openNaive };

/**
 * The library's engines that work here, and why others do not.
 * @param library the package's own modules, from `src` or from `dist`
 */
export async function engineSubjects(library) {
  const subjects = [];
  const missing = [];
  for (const name of ['openat2', 'procfs', 'portable']) {
    try {
      const { engine } = await library.selectEngine(name);
      const kind = name === 'portable' ? 'best-effort' : 'race-proof';
      subjects.push({ name: nameOf(engine), kind, open: (anchor) => openConfined(library, engine, anchor) });
    } catch (error) {
      missing.push(`${name}: ${error.message}`);
    }
  }
  return { subjects, missing };
}

function nameOf(engine) {
  if (engine.name !== 'openat2') return engine.name;
  return process.getBuiltinModule('node:ffi') === undefined ? 'openat2 (koffi)' : 'openat2 (node:ffi)';
}

function openConfined({ ConfinedDirectory, RootCache }, engine, anchor) {
  const roots = new RootCache(engine, Date.now);
  const directory = new ConfinedDirectory(roots, anchor, false);
  return {
    read: (path) => directory.readFile(path, { encoding: 'utf8' }),
    async list(path) {
      const names = [];
      for await (const entry of directory.list(path)) names.push(entry.path.slice(path.length + 1));
      return names;
    },
    write: (path, text) => directory.writeFile(path, text),
    close() {
      roots.close();
    },
  };
}

function openNaive(anchor) {
  function checked(path) {
    const full = resolve(anchor, path);
    if (!full.startsWith(anchor + sep)) throw new Error('outside');
    return full;
  }
  return {
    read: (path) => readFile(checked(path), 'utf8'),
    list: (path) => readdir(checked(path)),
    write: (path, text) => writeFile(checked(path), text),
    close() {
      // It holds nothing.
    },
  };
}

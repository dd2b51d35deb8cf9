import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of the same length, so that no size gives them away. */
export const INSIDE = 'INSIDE  the tenant';
export const OUTSIDE = 'OUTSIDE the tenant';
/** What a directory listing shows of the outside. */
export const OUTSIDE_ONLY = 'outside-only.txt';

/** Which component of `top/middle/parent/file.txt` is swapped with a link to its counterpart outside. */
const SWAPPED = {
  middle: { directory: 'top', target: 'middle' },
  parent: { directory: 'top/middle', target: 'parent' },
  final: { directory: 'top/middle/parent', target: 'file.txt' },
};
export const SWAPS = Object.keys(SWAPPED);

/**
 * From where a victim goes and by which way: below `top` four components (the procfs engine opens such a path as a whole),
 * or from as near to the swapped component as possible, one or two (it walks those).
 */
const VIEWS = {
  middle: [
    { anchor: '.', directory: 'top/middle/parent', read: 'file' },
    { anchor: 'top', directory: 'middle/parent', read: 'list' },
  ],
  parent: [
    { anchor: '.', directory: 'top/middle/parent', read: 'file' },
    { anchor: 'top/middle', directory: 'parent', read: 'file' },
  ],
  final: [
    { anchor: '.', directory: 'top/middle/parent', read: 'file' },
    { anchor: 'top/middle/parent', directory: '', read: 'file' },
  ],
};

/** A tenant's tree with one component under attack, and the same tree outside. */
export class RaceTree {
  #base = realpathSync.native(mkdtempSync(join(tmpdir(), 'keyfence-race-')));
  #tenant = join(this.#base, 'tenant');
  #outside = join(this.#base, 'outside');
  #inner = join('top', 'middle', 'parent');

  constructor(swap) {
    const { directory, target } = SWAPPED[swap];
    for (const [root, text] of [
      [this.#tenant, INSIDE],
      [this.#outside, OUTSIDE],
    ]) {
      mkdirSync(join(root, this.#inner), { recursive: true });
      writeFileSync(join(root, this.#inner, 'file.txt'), text);
    }
    writeFileSync(join(this.#outside, this.#inner, OUTSIDE_ONLY), OUTSIDE);
    /** What the attacker is told. */
    this.attack = {
      directory: join(this.#tenant, directory),
      target,
      decoy: `${target}.decoy`,
      decoyPointsTo: join(this.#outside, directory, target),
    };
    symlinkSync(this.attack.decoyPointsTo, join(this.attack.directory, this.attack.decoy));
    this.views = VIEWS[swap].map((view) => ({ ...view, anchor: join(this.#tenant, view.anchor) }));
  }

  /** How many files outside were made or changed since the last call; it puts them back. */
  takeDamage() {
    const directory = join(this.#outside, this.#inner);
    const made = readdirSync(directory).filter((name) => name !== 'file.txt' && name !== OUTSIDE_ONLY);
    for (const name of made) rmSync(join(directory, name));
    const file = join(directory, 'file.txt');
    const changed = readFileSync(file, 'utf8') !== OUTSIDE;
    if (changed) writeFileSync(file, OUTSIDE);
    return made.length + Number(changed);
  }

  /** The texts of the files in the inmost directory, by name; the decoy link is none. */
  readInnerFiles() {
    const directory = join(this.#tenant, this.#inner);
    const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
    return new Map(files.map(({ name }) => [name, readFileSync(join(directory, name), 'utf8')]));
  }

  /** Temporary files that were left, anywhere. */
  countTemporaryFiles() {
    const names = readdirSync(this.#base, { recursive: true });
    return names.filter((name) => /(?:^|\/)\.keyfence-[^/]*$/.test(name)).length;
  }

  remove() {
    rmSync(this.#base, { recursive: true, force: true });
  }
}

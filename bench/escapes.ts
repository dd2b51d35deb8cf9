import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { Child } from './child.js';
import { READ_FLAGS, RootDirectory } from './internals.js';
import { engineNamed } from './opens.js';
import type { Report, Row } from './report.js';
import { makeTenantTree, SWAPPED, type TenantTree } from './tenant-tree.js';

const OPENS = 50_000;

/** Opens what the caller asked for; throws where it refuses. */
type Opener = () => number;

interface Outcome {
  readonly inside: number;
  readonly escapes: number;
  readonly refused: number;
  readonly swaps: number;
}

/** How often each way of opening returns a file outside the root while somebody swaps a directory for a link. */
export async function measureEscapes(report: Report): Promise<void> {
  const tree = makeTenantTree();
  try {
    const rows: Row[] = [];
    for (const name of ['openat2', 'procfs', 'portable'] as const) {
      const engine = await engineNamed(name);
      if (engine === undefined) continue;
      const root = RootDirectory.open(engine, tree.tenant, false);
      const path = SWAPPED.file as Parameters<typeof engine.open>[1];
      const outcome = await attacked(tree, () => engine.open(root, path, READ_FLAGS));
      rows.push(rowOf(`${name} engine (${engine.strictness})`, outcome, name === 'portable' ? undefined : 0));
      root.release();
    }
    rows.push(rowOf('resolve + startsWith', await attacked(tree, () => checkedByName(tree)), undefined));
    report.table({
      part: 'escapes',
      title: 'escapes: opens while another process swaps a middle directory with a link to outside',
      notes: [
        `${OPENS.toLocaleString('en')} opens each; renameat2(RENAME_EXCHANGE) in a loop. Inside: the right file. Refused: an error.`,
        'resolve + startsWith is the control: without escapes there, the attack did not work and the zeros say nothing.',
      ],
      rows,
    });
  } finally {
    tree.remove();
  }
}

async function attacked(tree: TenantTree, open: Opener): Promise<Outcome> {
  const outside = statSync(tree.outsideFile).ino;
  const names = [join(tree.tenant, SWAPPED.directory), join(tree.tenant, SWAPPED.link)];
  const { child } = await Child.start('swap-attacker.js', names);
  const count = { inside: 0, escapes: 0, refused: 0 };
  try {
    for (let opened = 0; opened < OPENS; opened += 1) {
      const inode = inodeOf(open);
      if (inode === undefined) count.refused += 1;
      else if (inode === outside) count.escapes += 1;
      else count.inside += 1;
    }
    return { ...count, swaps: (await child.ask('stop')) as number };
  } finally {
    await child.stop();
  }
}

function inodeOf(open: Opener): number | undefined {
  let fd: number;
  try {
    fd = open();
  } catch {
    return undefined;
  }
  const { ino } = fstatSync(fd);
  closeSync(fd);
  return ino;
}

/** The check that most code has: of the text, and nothing else. */
function checkedByName(tree: TenantTree): number {
  const path = resolve(tree.tenant, SWAPPED.file);
  if (!path.startsWith(tree.tenant + sep)) throw new Error('That leads out.');
  return openSync(path, constants.O_RDONLY);
}

function rowOf(name: string, outcome: Outcome, limit: number | undefined): Row {
  const { inside, escapes, refused, swaps } = outcome;
  return {
    open: name,
    inside,
    refused,
    swaps,
    escapes,
    target: limit === undefined ? '' : `= ${limit}`,
    verdict: limit === undefined ? 'for information' : escapes === limit ? 'ok' : 'over',
  };
}

import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { loadOpenat2, O_CLOEXEC, READ_FLAGS, RESOLVE_CONFINED, RootDirectory, selectEngine } from './internals.js';
import { interleave, spreadOf } from './measure.js';
import { judged, type Report, type Row } from './report.js';
import { DEPTHS, FILES, makeTenantTree, type Depth, type TenantTree } from './tenant-tree.js';

/** Opened one after the other, then closed; only the opening is measured. */
const OPENS = 400;
const ROUNDS = 150;
const WARM_UP_ROUNDS = 30;
const LIMIT = 1.2;

type Engine = Awaited<ReturnType<typeof selectEngine>>['engine'];
type ConfinedPath = Parameters<Engine['open']>[1];
type Opener = () => number;

/** Microseconds to open a file, confined and not. */
export async function measureOpens(report: Report): Promise<void> {
  const tree = makeTenantTree();
  try {
    report.table({
      part: 'files',
      title: 'files: one open, without the close that follows (which is the same for all)',
      notes: [
        'System call: openat2(2) through FFI against fs.openSync(). Checked open: the engine and fstat against',
        `fs.openSync() + fs.fstatSync(). CPU microseconds, ${ROUNDS} rounds of ${OPENS} opens.`,
      ],
      rows: [...(await systemCallRows(tree)), ...(await checkedRows(tree))],
    });
  } finally {
    tree.remove();
  }
}

async function systemCallRows(tree: TenantTree): Promise<Row[]> {
  const openat2 = await loadOpenat2();
  if (typeof openat2 === 'string') {
    console.error(`files: the system call is left out: ${openat2}`);
    return [];
  }
  const root = openSync(tree.tenant, constants.O_RDONLY | constants.O_DIRECTORY);
  const rows: Row[] = [];
  for (const depth of DEPTHS) {
    const path = FILES[depth];
    const own = (): number => {
      const result = openat2(root, path, READ_FLAGS | O_CLOEXEC, RESOLVE_CONFINED);
      if (result < 0) throw new Error(`openat2 answers ${result}.`);
      return result;
    };
    rows.push(await compare('openat2 system call', depth, LIMIT, own, plainOpen(tree, depth)));
  }
  closeSync(root);
  return rows;
}

async function checkedRows(tree: TenantTree): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of ['openat2', 'procfs'] as const) {
    const engine = await engineNamed(name);
    if (engine === undefined) continue;
    const root = RootDirectory.open(engine, tree.tenant, false);
    for (const depth of DEPTHS) {
      const path = FILES[depth] as ConfinedPath;
      const own = checked(() => engine.open(root, path, READ_FLAGS));
      const limit = name === 'openat2' ? LIMIT : undefined;
      rows.push(await compare(`${name} engine, checked`, depth, limit, own, checked(plainOpen(tree, depth))));
    }
    root.release();
  }
  return rows;
}

/** Says so and gives none where it does not work here. */
export async function engineNamed(name: 'openat2' | 'procfs' | 'portable'): Promise<Engine | undefined> {
  try {
    return (await selectEngine(name)).engine;
  } catch (error) {
    console.error(`The engine ${name} is left out: ${(error as Error).message}`);
    return undefined;
  }
}

function plainOpen(tree: TenantTree, depth: Depth): Opener {
  const path = join(tree.tenant, FILES[depth]);
  return () => openSync(path, constants.O_RDONLY);
}

function checked(open: Opener): Opener {
  return () => {
    const fd = open();
    if (!fstatSync(fd).isFile()) throw new Error('That is no file.');
    return fd;
  };
}

async function compare(
  name: string,
  depth: Depth,
  limit: number | undefined,
  own: Opener,
  plain: Opener,
): Promise<Row> {
  const variants = { own: () => costOf(own), plain: () => costOf(plain) };
  await interleave(variants, WARM_UP_ROUNDS);
  const samples = await interleave(variants, ROUNDS);
  const [ours, theirs] = [spreadOf(samples.own), spreadOf(samples.plain)];
  return {
    open: name,
    depth,
    us: ours.median,
    p10: ours.p10,
    'fs us': theirs.median,
    'its p10': theirs.p10,
    'by median': ours.median / theirs.median,
    ...judged('by p10', ours.p10 / theirs.p10, limit),
  };
}

function costOf(open: Opener): number {
  const descriptors: number[] = [];
  const before = process.cpuUsage();
  for (let opened = 0; opened < OPENS; opened += 1) descriptors.push(open());
  const { user, system } = process.cpuUsage(before);
  for (const fd of descriptors) closeSync(fd);
  return (user + system) / OPENS;
}

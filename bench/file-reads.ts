import { Child } from './child.js';
import { SERVER_VARIANTS, type ServerVariant } from './file-server-variants.js';
import { HttpLoad } from './http-load.js';
import { interleave, spreadOf, type Spread } from './measure.js';
import { judged, type Report, type Row } from './report.js';
import { makeTenantTree } from './tenant-tree.js';

const CONNECTIONS = 16;
const REQUESTS = 1_600;
const ROUNDS = 25;
const WARM_UP_ROUNDS = 6;

const DESCRIPTIONS: Readonly<Record<ServerVariant, string>> = {
  none: 'no file',
  promises: 'fs.promises.readFile, not confined',
  openat2: 'TenantDirectory.readFile, openat2',
  procfs: 'TenantDirectory.readFile, procfs',
};

interface Server {
  readonly child: Child;
  readonly load: HttpLoad;
}

/** What reading a tenant's file costs a server, beside the unconfined read that Node users write. */
export async function measureFileReads(report: Report): Promise<void> {
  const tree = makeTenantTree();
  const servers: Partial<Record<ServerVariant, Server>> = {};
  try {
    for (const variant of SERVER_VARIANTS) servers[variant] = await startServer(tree.root, variant);
    const variants = Object.fromEntries(
      Object.entries(servers).map(([name, server]) => [name, () => costOf(server)]),
    ) as Record<ServerVariant, () => Promise<number>>;
    await interleave(variants, WARM_UP_ROUNDS);
    const samples = await interleave(variants, ROUNDS);
    const spreads = Object.fromEntries(SERVER_VARIANTS.map((name) => [name, spreadOf(samples[name])])) as Record<
      ServerVariant,
      Spread
    >;
    report.table({
      part: 'files',
      title: 'files: a handler of node:http that answers with a file of 1 KB, three directories deep',
      notes: [
        `CPU microseconds of the server per request, on all its threads; ${CONNECTIONS} connections from another process,`,
        `${ROUNDS} rounds of ${REQUESTS.toLocaleString('en')} requests. Target: not dearer than fs.promises.readFile.`,
      ],
      rows: SERVER_VARIANTS.map((name) => rowOf(name, spreads)),
    });
  } finally {
    for (const { load, child } of Object.values(servers)) {
      load.close();
      await child.stop();
    }
    tree.remove();
  }
}

async function startServer(root: string, variant: ServerVariant): Promise<Server> {
  const { child, ready } = await Child.start('file-server.js', [root, variant]);
  return { child, load: await HttpLoad.open(ready as number, CONNECTIONS) };
}

async function costOf({ child, load }: Server): Promise<number> {
  await child.ask('start');
  await load.run(REQUESTS);
  return ((await child.ask('stop')) as number) / REQUESTS;
}

function rowOf(name: ServerVariant, spreads: Readonly<Record<ServerVariant, Spread>>): Row {
  const own = spreads[name];
  const plain = spreads.promises;
  const row = { handler: DESCRIPTIONS[name], us: own.median, p25: own.p25, p10: own.p10 };
  if (name === 'none' || name === 'promises') return row;
  return { ...row, 'by median': own.median / plain.median, ...judged('by p10', own.p10 / plain.p10, 1) };
}

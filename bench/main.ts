import { parseArgs } from 'node:util';
import { measureBetterAuth } from './better-auth.js';
import { measureCached } from './cached.js';
import { measureEscapes } from './escapes.js';
import { measureFileReads } from './file-reads.js';
import { measureOpens } from './opens.js';
import { measureFlood } from './flood.js';
import { measureManyKeys } from './many-keys.js';
import { JsonReport, TextReport, type Report } from './report.js';
import { measureRevocation } from './revocation.js';
import { measureRoutes } from './routes.js';
import { measureVerify } from './verify.js';

type Part = (report: Report) => Promise<void>;

const PARTS: Readonly<Record<string, Part>> = {
  verify: measureVerify,
  cached: measureCached,
  'better-auth': measureBetterAuth,
  'many-keys': measureManyKeys,
  revocation: measureRevocation,
  flood: measureFlood,
  route: measureRoutes,
  files: async (report) => {
    await measureOpens(report);
    await measureFileReads(report);
  },
  escapes: measureEscapes,
};

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
const names = values.only?.split(',') ?? Object.keys(PARTS);
const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  console.error(`There is no part '${unknown}'. There are: ${Object.keys(PARTS).join(', ')}.`);
  process.exit(2);
}

const report = values.json === true ? new JsonReport() : new TextReport();
report.machine();
for (const name of names) await PARTS[name]?.(report);

// Packs the package and installs it into applications of several kinds, each in an empty folder outside the repository:
// they are compiled by their own TypeScript, started, and called on Express and on Fastify (see test/consumers).
// Usage: node scripts/test-consumers.mjs [--only nest11-cjs,nest12-esm]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  checkOnPlatform,
  checkOneCopy,
  compile,
  createProject,
  install,
  runSuite,
} from '../test/consumers/runner/project.mjs';
import { PLATFORMS, PROJECTS } from '../test/consumers/runner/projects.mjs';
import { run } from '../test/consumers/runner/processes.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const projects = chooseProjects(values.only?.split(','));
const startedAt = Date.now();
const packed = mkdtempSync(join(tmpdir(), 'keyfence-pack-'));

try {
  const tarball = await pack();
  const rows = [];
  for (const project of projects) rows.push(await testProject(project, tarball));
  report(rows);
} finally {
  rmSync(packed, { recursive: true });
}

function chooseProjects(only) {
  if (only === undefined) return PROJECTS;
  const unknown = only.filter((name) => PROJECTS.every((project) => project.name !== name));
  if (unknown.length === 0) return PROJECTS.filter(({ name }) => only.includes(name));
  throw new Error(
    `--only: no consumer ${unknown.join(', ')}; there are ${PROJECTS.map(({ name }) => name).join(', ')}`,
  );
}

async function pack() {
  const output = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', packed], ROOT);
  const [{ filename, entryCount }] = JSON.parse(output.slice(output.indexOf('[\n'), output.lastIndexOf(']') + 1));
  console.log(`packed ${filename}: ${entryCount} files`);
  return join(packed, filename);
}

/** Returns the row of the table. The folder of a consumer that failed is kept. */
async function testProject(project, tarball) {
  const folder = createProject(project);
  const row = { name: project.name, ...Object.fromEntries(PLATFORMS.map((platform) => [platform, 'FAIL'])) };
  try {
    const warnings = await step(project, 'install', () => install(folder, tarball));
    for (const warning of warnings) console.log(`  ${warning}`);
    await (project.kind === 'app' ? testApp(project, folder, row) : testSuite(project, folder, row));
  } catch {
    // Said where it happened; the platforms that were not reached stay as they are: FAIL.
  }
  if (PLATFORMS.every((platform) => row[platform] === 'ok')) rmSync(folder, { recursive: true });
  else row.folder = folder;
  return row;
}

async function testApp(project, folder, row) {
  await step(project, 'compile', () => compile(folder, []));
  for (const flags of project.alsoCompilesWith) {
    await step(project, `compile with ${flags}`, () => compile(folder, ['--noEmit', ...flags.split(' ')]));
  }
  await step(project, 'one copy for import and require', () => checkOneCopy(folder));
  for (const platform of PLATFORMS) {
    try {
      await step(project, `run on ${platform}`, () => checkOnPlatform(folder, platform));
      row[platform] = 'ok';
    } catch {
      // The other platform is still tried.
    }
  }
}

async function testSuite(project, folder, row) {
  await step(project, 'type-check', () => compile(folder, ['--noEmit']));
  const { passed } = await step(project, 'run its suite', async () => {
    const result = await runSuite(folder, project.run);
    if (result.failure !== undefined) throw result.failure;
    return result;
  });
  for (const platform of PLATFORMS) if (passed[platform]) row[platform] = 'ok';
}

async function step({ name }, what, action) {
  const from = Date.now();
  try {
    const result = await action();
    console.log(`${name}: ${what}: ok (${seconds(from)} s)`);
    return result;
  } catch (error) {
    console.error(`${name}: ${what}: FAIL (${seconds(from)} s)\n${error.message}`);
    throw error;
  }
}

function report(rows) {
  console.log(`\n${'consumer'.padEnd(16)}${PLATFORMS.map((platform) => platform.padEnd(10)).join('')}`);
  for (const row of rows) {
    console.log(`${row.name.padEnd(16)}${PLATFORMS.map((platform) => row[platform].padEnd(10)).join('')}`);
  }
  const failed = rows.filter(({ folder }) => folder !== undefined);
  for (const { name, folder } of failed) console.log(`${name} is kept in ${folder}`);
  console.log(`\n${rows.length - failed.length} of ${rows.length} consumers passed in ${seconds(startedAt)} s`);
  if (failed.length > 0) process.exitCode = 1;
}

function seconds(from) {
  return ((Date.now() - from) / 1000).toFixed(0);
}

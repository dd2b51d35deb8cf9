import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkApp } from './checks.mjs';
import { PLATFORMS } from './projects.mjs';
import { run, startApp } from './processes.mjs';

const TEMPLATES = fileURLToPath(new URL('..', import.meta.url));
const OVERRIDE = '.txt';

/** npm says these on Node 20 about packages of Nest 12 itself, and about its own settings. */
const NOT_OURS = /EBADENGINE|deprecated|Unknown (?:user|project|env) config/;

/** Makes a consumer in an empty folder outside the repository. */
export function createProject({ name, kind }) {
  const folder = mkdtempSync(join(tmpdir(), `keyfence-${name}-`));
  for (const shared of ['app', 'feature-library', ...(kind === 'suite' ? ['suite'] : [])]) {
    cpSync(join(TEMPLATES, shared), join(folder, shared), { recursive: true });
  }
  for (const file of readdirSync(join(TEMPLATES, name))) {
    cpSync(join(TEMPLATES, name, file), targetOf(folder, file, kind));
  }
  return folder;
}

function targetOf(folder, file, kind) {
  return file.endsWith(OVERRIDE)
    ? join(folder, kind === 'suite' ? 'suite' : 'app', file.slice(0, -OVERRIDE.length))
    : join(folder, file);
}

/** Returns npm's warnings. A peer range that does not fit is an error. */
export async function install(folder, tarball) {
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--strict-peer-deps'];
  const output = await run('npm', ['install', ...flags, tarball], folder);
  return output.split('\n').filter((line) => line.startsWith('npm warn') && !NOT_OURS.test(line));
}

export function compile(folder, flags) {
  return run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.', ...flags], folder);
}

/** Asserts that `import` and `require` give the same classes. */
export function checkOneCopy(folder) {
  return run(process.execPath, ['feature-library/one-copy.mjs'], folder);
}

/** What Nest or Node say when a library uses them in a way they will stop to support. */
const COMPLAINT = /Unsupported route path|DeprecationWarning|ExperimentalWarning|MaxListeners/;

/** Starts the compiled application on a platform, calls its routes, and asserts that nothing was complained about. */
export async function checkOnPlatform(folder, platform) {
  const root = join(folder, `files-${platform}`);
  mkdirSync(root);
  const { url, keys, stop, output } = await startApp(folder, 'dist/main.js', [platform, root]);
  try {
    await checkApp({ url, keys, root });
    assert.doesNotMatch(output(), COMPLAINT);
  } catch (error) {
    throw new Error(`${error.message}\nThe application printed:\n${output()}`, { cause: error });
  } finally {
    await stop();
  }
}

/** Runs the consumer's own suite. Returns for each platform whether its tests passed; none at all is no pass. */
export async function runSuite(folder, command) {
  let failure;
  try {
    await run(process.execPath, command, folder);
  } catch (error) {
    failure = error;
  }
  return { failure, passed: failure === undefined ? passedByPlatform(join(folder, 'report.json')) : {} };
}

/** Jest's report, which Vitest's has the form of. */
function passedByPlatform(file) {
  const { testResults } = JSON.parse(readFileSync(file, 'utf8'));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return Object.fromEntries(
    PLATFORMS.map((platform) => {
      const own = tests.filter(({ ancestorTitles }) =>
        ancestorTitles.some((title) => title.endsWith(`on ${platform}`)),
      );
      return [platform, own.length > 0 && own.every(({ status }) => status === 'passed')];
    }),
  );
}

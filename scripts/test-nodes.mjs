// Runs the test suite with newer versions of Node, which npm installs into a temporary folder. The arguments after `--` are
// given to Jest.
// Usage: node scripts/test-nodes.mjs [--only 22,26] [-- test/api-key]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const VERSIONS = ['22', '24', '26'];
/** The first major version whose node:ffi needs no flag. */
const HAS_FFI = 26;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const versions = values.only?.split(',') ?? VERSIONS;

execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
execFileSync('npm', ['run', '--silent', 'build:examples'], { cwd: ROOT, stdio: 'inherit' });

const folder = mkdtempSync(join(tmpdir(), 'keyfence-nodes-'));
const results = [];
try {
  for (const version of versions) results.push(...testWith(version));
} finally {
  rmSync(folder, { recursive: true });
}

console.log(`\n${'Node'.padEnd(12)}${'what'.padEnd(28)}result`);
for (const { node, what, passed } of results) {
  console.log(`${node.padEnd(12)}${what.padEnd(28)}${passed ? 'ok' : 'FAIL'}`);
}
if (results.some(({ passed }) => !passed)) process.exitCode = 1;

function testWith(version) {
  const binary = installNode(version);
  const node = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`\nNode ${node}`);
  const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const done = [{ node, what: 'test suite', passed: run(binary, [...jest, ...positionals]) }];
  if (Number(version) >= HAS_FFI && process.platform === 'linux') {
    const script = 'test/consumers/nodes/openat2-without-koffi.mjs';
    done.push({ node, what: 'openat2 through node:ffi', passed: run(binary, [script]) });
  }
  return done;
}

/** Returns the path of its binary. Its install script puts the binary of this platform in place, so it has to run. */
function installNode(version) {
  const own = join(folder, version);
  mkdirSync(own);
  writeFileSync(join(own, 'package.json'), '{ "private": true }\n');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', `node@${version}`], { cwd: own, stdio: 'inherit' });
  return join(own, 'node_modules', 'node', 'bin', 'node');
}

/** The version also comes first in the path, for tests that start a `node` of their own. */
function run(binary, parameters) {
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH ?? ''}` };
  delete env.NODE_OPTIONS;
  return spawnSync(binary, parameters, { cwd: ROOT, env, stdio: 'inherit' }).status === 0;
}

// Builds the package twice with the TypeScript compiler: ESM for `import` and Node's require(esm), CommonJS for the rest.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = `${root}node_modules/typescript7/bin/tsc`;

rmSync(`${root}dist`, { recursive: true, force: true });
for (const project of ['tsconfig.build.json', 'tsconfig.cjs.json']) {
  execFileSync(process.execPath, [tsc, '-p', `${root}${project}`], { stdio: 'inherit' });
}
writeFileSync(`${root}dist/cjs/package.json`, '{"type":"commonjs"}\n');

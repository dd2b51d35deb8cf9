// Prints, as JSON, what the built package does where openat2(2) is denied: from the start (under deny-openat2.mjs), or, with
// the argument `later`, by a filter that comes when the engine has been chosen.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfinedDirectory } from '../../dist/esm/confined-fs/confined-directory.js';
import { RootCache } from '../../dist/esm/confined-fs/root-cache.js';
import { selectEngine } from '../../dist/esm/confined-fs/select-engine.js';

const base = mkdtempSync(join(tmpdir(), 'keyfence-seccomp-'));
const tenant = join(base, 'tenant');
mkdirSync(join(tenant, 'a', 'b'), { recursive: true });
writeFileSync(join(tenant, 'a', 'b', 'file.txt'), 'inside');
writeFileSync(join(base, 'secret.txt'), 'outside');
symlinkSync(join(base, 'secret.txt'), join(tenant, 'link'));

const { engine, hint } = await selectEngine('auto');
if (process.argv[2] === 'later') await import('./deny-openat2.mjs');
const roots = new RootCache(engine, Date.now);
const directory = new ConfinedDirectory(roots, tenant, false);
const outcomeOf = (path) => directory.readFile(path, { encoding: 'utf8' }).catch((error) => error.errorCode);
const report = { engine: engine.name, hint, file: await outcomeOf('a/b/file.txt'), link: await outcomeOf('link') };
roots.close();
rmSync(base, { recursive: true });
console.log(JSON.stringify(report));

import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Everything below a directory, with what changes when it is touched. */
export function snapshot(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      const { ino, ctimeMs } = lstatSync(path);
      const self = `${path}: ${ino} ${ctimeMs} ${entry.isFile() ? readFileSync(path, 'utf8') : ''}`;
      return entry.isDirectory() ? [self, ...snapshot(path)] : [self];
    })
    .sort();
}

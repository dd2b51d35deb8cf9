import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, parse } from 'node:path';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';

/**
 * The directory that holds the tenants' directories, with its symbolic links resolved once, at boot.
 * @throws KeyfenceConfigurationError unless it is an existing directory and not the root of the file system
 */
export function resolveRoot(root: string): string {
  const cure = 'Make the directory first (mkdir -p) and give its absolute path.';
  if (!isAbsolute(root))
    throw new KeyfenceConfigurationError('files.root', `is '${root}', which is not absolute`, cure);
  let resolved;
  try {
    resolved = realpathSync.native(root);
  } catch {
    throw new KeyfenceConfigurationError('files.root', `is '${root}', which does not exist`, cure);
  }
  if (!statSync(resolved).isDirectory()) {
    throw new KeyfenceConfigurationError('files.root', `is '${root}', which is not a directory`, cure);
  }
  if (resolved === parse(resolved).root) {
    throw new KeyfenceConfigurationError('files.root', 'is the root of the file system', cure);
  }
  return resolved;
}

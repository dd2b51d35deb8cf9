import type { EngineName } from '../confined-fs/engine.js';
import type { Strictness } from '../confined-fs/strictness.js';

/** The options of this folder, validated; made by the module. */
export interface FileOptions {
  readonly root: string;
  readonly rootFor?: (tenantId: string) => string;
  readonly readOnly: boolean;
  readonly engine: EngineName | 'auto';
  readonly requireStrictness?: Strictness;
}

/** Injection token of {@link FileOptions}; `undefined` where the application configured no files. */
export const FILE_OPTIONS = Symbol.for('nestjs-keyfence:file-options');

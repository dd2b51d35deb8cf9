import { isAbsolute, join, parse } from 'node:path';
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { ConfinedFile } from '../confined-fs/confined-file.js';
import { isPathGrant, PATH_GRANT_RULE, type PathGrants } from '../confined-fs/path-grant.js';
import { resolveRoot } from '../confined-fs/resolve-root.js';
import { RootCache } from '../confined-fs/root-cache.js';
import { selectEngine } from '../confined-fs/select-engine.js';
import { isAtLeast } from '../confined-fs/strictness.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { InvalidPathException, PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import type { Principal } from '../principal/principal.js';
import { isTenantId, type TenantId } from '../principal/tenant-id.js';
import { FILE_OPTIONS, type FileOptions } from './file-options.js';
import { TenantDirectory } from './tenant-directory.js';

interface FileSystem {
  readonly options: FileOptions;
  /** `options.root`, resolved. */
  readonly root: string;
  readonly roots: RootCache;
}

/** The way to tenants' files. It never gives a path: it gives directories, handles, bytes and streams. */
@Injectable()
export class FileService implements OnModuleInit, OnApplicationShutdown {
  #fileSystem: FileSystem | undefined;

  constructor(@Inject(FILE_OPTIONS) private readonly options: FileOptions | undefined) {}

  /**
   * Chooses the engine for this machine.
   * @throws KeyfenceConfigurationError if the root or the engine does not do, or the engine is weaker than required
   */
  async onModuleInit(): Promise<void> {
    const { options } = this;
    if (options === undefined) return;
    const root = resolveRoot(options.root);
    const { engine, hint } = await selectEngine(options.engine);
    if (options.requireStrictness !== undefined && !isAtLeast(engine.strictness, options.requireStrictness)) {
      throw new KeyfenceConfigurationError(
        'files.requireStrictness',
        `is '${options.requireStrictness}', and this machine gives '${engine.strictness}'`,
        hint === undefined ? 'Run on Linux, or require less.' : `${hint}; or require less.`,
      );
    }
    const advice = hint === undefined ? '' : ` (for 'kernel': ${hint})`;
    new Logger('Keyfence').log(`Tenant files are held by '${engine.strictness}', through ${engine.name}${advice}.`);
    this.#fileSystem = { options, root, roots: new RootCache(engine) };
  }

  onApplicationShutdown(): void {
    this.#fileSystem?.roots.close();
  }

  /**
   * The whole directory of a tenant, whatever a key is granted; made when something is first written to it. The id must come
   * from a principal or from your own code, never from a request's text: whoever holds the answer reaches that tenant's files.
   * @throws PathEscapeException or InvalidPathException for what is no tenant id
   * @throws KeyfenceConfigurationError where the option `files` is not set
   */
  forTenant(tenantId: string): TenantDirectory {
    return this.#directory(tenantId, undefined);
  }

  /**
   * The directory of the caller's tenant, or what `principal.paths` grants of it.
   * @throws KeyfenceConfigurationError where they hold what is no path grant
   */
  forPrincipal(principal: Principal): TenantDirectory {
    return this.#directory(principal.tenantId, parseGrants(principal.paths));
  }

  /** Opens one file of a tenant; the caller closes it. As `forTenant(tenantId).open(requested)`. */
  async readTenantFile(tenantId: string, requested: string): Promise<ConfinedFile> {
    return this.forTenant(tenantId).open(requested);
  }

  #directory(tenantId: string, grants: PathGrants): TenantDirectory {
    const { options, root, roots } = this.#required();
    const id = parseTenantId(tenantId);
    const path = options.rootFor === undefined ? join(root, id) : absolute(options.rootFor(id));
    return new TenantDirectory(id, { roots, path, readOnly: options.readOnly }, grants);
  }

  #required(): FileSystem {
    if (this.#fileSystem !== undefined) return this.#fileSystem;
    throw new KeyfenceConfigurationError(
      'files',
      this.options === undefined ? 'is not set' : 'is used before the application is initialized',
      this.options === undefined
        ? "Give KeyfenceModule files: { root: '/absolute/directory' }."
        : 'Wait for app.init().',
    );
  }
}

function parseTenantId(text: string): TenantId {
  if (isTenantId(text)) return text;
  const leadsOut = /[/\\]|^\.\.?$/.test(text);
  throw withoutStack(() =>
    leadsOut ? new PathEscapeException('traversal') : new InvalidPathException('The tenant id is not valid.'),
  );
}

/** A limit that cannot be read must never count as no limit. Keys are checked when they are read: this principal was not. */
function parseGrants(paths: unknown): PathGrants {
  if (paths === undefined) return undefined;
  const grants: unknown[] | undefined = Array.isArray(paths) ? [...(paths as unknown[])] : undefined;
  if (grants?.every(isPathGrant)) return grants;
  throw new KeyfenceConfigurationError(
    'principal.paths',
    'is no list of path grants',
    `${PATH_GRANT_RULE}. Leave paths out for the whole directory.`,
  );
}

function absolute(path: string): string {
  if (typeof path === 'string' && isAbsolute(path) && path !== parse(path).root) return path;
  throw new KeyfenceConfigurationError(
    'files.rootFor',
    'returned what is no absolute path, or the root of the file system',
    "Return the absolute path of the tenant's own directory.",
  );
}

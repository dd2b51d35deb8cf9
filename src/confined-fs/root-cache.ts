import { LRUCache } from 'lru-cache';
import type { Engine } from './engine.js';
import { RootDirectory } from './root-directory.js';

/** One descriptor per tenant that is active; the least recently used is closed beyond this many. */
const MAX_OPEN_ROOTS = 256;
/** How long a root may be used before it is asked again whether its path still names it. */
const RECHECK_MS = 1_000;

interface CachedRoot {
  readonly root: RootDirectory;
  checkedAt: number;
}

/** Keeps the directories of the tenants open, so that a request does not open its tenant's root anew. */
export class RootCache {
  readonly #roots = new LRUCache<string, CachedRoot>({
    max: MAX_OPEN_ROOTS,
    dispose: ({ root }) => {
      root.release();
    },
  });

  constructor(
    readonly engine: Engine,
    /** Milliseconds that only grow: a clock that is set back must not make a stale root look fresh. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * The open root at a path; the caller releases it.
   * @param create make the directory where it is missing
   */
  acquire(path: string, create: boolean): RootDirectory {
    const cached = this.#roots.get(path);
    if (cached !== undefined) {
      if (this.#isFresh(cached)) return cached.root.acquire();
      this.#roots.delete(path);
    }
    const root = RootDirectory.open(this.engine, path, create);
    this.#roots.set(path, { root, checkedAt: this.now() });
    return root.acquire();
  }

  /** Closes every root that nobody uses any more, and the others when they are released. */
  close(): void {
    this.#roots.clear();
  }

  #isFresh(cached: CachedRoot): boolean {
    const now = this.now();
    if (now - cached.checkedAt < RECHECK_MS) return true;
    cached.checkedAt = now;
    return cached.root.isCurrent();
  }
}

/**
 * The servers that the tests use. They are compiled into `bench/dist/support` by esbuild, since they are none of the
 * benchmark's own files; so the types are said here.
 */
interface Disposable {
  dispose(): Promise<void>;
}

export interface BenchPostgres extends Disposable {
  createDatabase(): Promise<{
    createPool(config?: { readonly max?: number }): BenchPool;
    readonly connectionString: string;
  }>;
}

/** What is used of a pool of `pg`. */
export type BenchPool = import('pg').Pool;

export interface BenchRedis extends Disposable {
  readonly url: string;
}

/** `undefined`, said on stderr, where there is none for this platform. */
export async function startPostgres(): Promise<BenchPostgres | undefined> {
  const module = (await support('postgres.js')) as { startPostgres(): Promise<BenchPostgres | undefined> };
  return module.startPostgres();
}

/** `undefined`, said on stderr, where `redis-server` is not installed. */
export async function startRedis(): Promise<BenchRedis | undefined> {
  const module = (await support('redis.js')) as { startRedis(): Promise<BenchRedis | undefined> };
  return module.startRedis();
}

function support(file: string): Promise<unknown> {
  return import(new URL(`support/${file}`, import.meta.url).href);
}

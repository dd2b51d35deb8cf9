/**
 * Parts of the built library that are not public, for measuring a step by itself. They are named by their place in `dist`,
 * seen from the compiled benchmark; the types are seen from here.
 */
const at = (path: string): string => new URL(`../../dist/esm/${path}`, import.meta.url).href;

export const { ApiKeyAuthenticator } = (await import(
  at('api-key/api-key-authenticator.service.js')
)) as typeof import('../dist/esm/api-key/api-key-authenticator.service.js');

export const { generateKey } = (await import(
  at('api-key/api-key-format.js')
)) as typeof import('../dist/esm/api-key/api-key-format.js');

export const { digestKey } = (await import(
  at('api-key/key-digest.js')
)) as typeof import('../dist/esm/api-key/key-digest.js');

export const { SystemClock } = (await import(at('api-key/clock.js'))) as typeof import('../dist/esm/api-key/clock.js');

export const { loadOpenat2, RESOLVE_CONFINED, O_CLOEXEC } = (await import(
  at('confined-fs/openat2.js')
)) as typeof import('../dist/esm/confined-fs/openat2.js');

export const { selectEngine } = (await import(
  at('confined-fs/select-engine.js')
)) as typeof import('../dist/esm/confined-fs/select-engine.js');

export const { RootDirectory } = (await import(
  at('confined-fs/root-directory.js')
)) as typeof import('../dist/esm/confined-fs/root-directory.js');

export const { READ_FLAGS } = (await import(
  at('confined-fs/open-flags.js')
)) as typeof import('../dist/esm/confined-fs/open-flags.js');

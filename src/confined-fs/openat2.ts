/**
 * `openat2(2)`, which Node does not offer: through the built-in `node:ffi` (without a flag since Node 26.9), else through
 * the optional peer `koffi`.
 */

/** Opens a path below an open directory. Returns a descriptor, or the negative errno. The path holds no NUL. */
export type Openat2 = (directory: number, path: string, flags: number, resolve: number) => number;

/** The same on every architecture: system calls since 2019 are numbered alike. */
const SYS_OPENAT2 = 437;
/** The size of `struct open_how`: three 64-bit numbers `flags`, `mode` and `resolve`. */
const OPEN_HOW_BYTES = 24;
/** More than V8 keeps inside an object, so that the memory has an address that stays. */
const OPEN_HOW_ALLOCATION = 128;

const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

/** Below the directory, through no link of any kind, across no mount. */
export const RESOLVE_CONFINED = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;

/** Node adds it to every open; openat2(2) does not. The same on x86-64 and arm64. */
export const O_CLOEXEC = 0o200_0000;

/** Binds `openat2`, or says why there is none: for the boot log. */
export async function loadOpenat2(): Promise<Openat2 | string> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return `openat2 is not used on ${process.platform}-${process.arch}`;
  }
  if ('permission' in process && (process.permission as object | undefined) !== undefined) {
    // A system call made through FFI is not seen by Node's permission model.
    return 'openat2 is not used under --permission';
  }
  return bindNodeFfi() ?? (await bindKoffi());
}

/** The part of `node:ffi` that is used; it has no types yet. */
interface NodeFfi {
  readonly DynamicLibrary: new (path: null) => {
    getFunction(
      name: string,
      signature: { readonly arguments: readonly string[]; readonly return: string },
    ): (...values: readonly unknown[]) => unknown;
  };
  getRawPointer(memory: ArrayBuffer): bigint;
  toArrayBuffer(address: unknown, length: number, copy: boolean): ArrayBuffer;
}

function bindNodeFfi(): Openat2 | undefined {
  const ffi = process.getBuiltinModule('node:ffi') as unknown as NodeFfi | undefined;
  if (ffi === undefined) return undefined;
  const library = new ffi.DynamicLibrary(null);
  // The address is declared as a function's: such signatures take the cheaper of node:ffi's two call paths.
  const syscall = library.getFunction('syscall', {
    arguments: ['int32', 'int32', 'string', 'function', 'uint64'],
    return: 'int32',
  });
  const errnoAddress = library.getFunction('__errno_location', { arguments: [], return: 'pointer' })();
  const errno = new Int32Array(ffi.toArrayBuffer(errnoAddress, Int32Array.BYTES_PER_ELEMENT, false));
  const memory = new ArrayBuffer(OPEN_HOW_ALLOCATION);
  const address = ffi.getRawPointer(memory);
  const how = new Uint32Array(memory);
  return function openat2(directory, path, flags, resolve) {
    writeOpenHow(how, flags, resolve);
    const result = syscall(SYS_OPENAT2, directory, path, address, BigInt(OPEN_HOW_BYTES)) as number;
    return result < 0 ? -(errno[0] ?? 0) : result;
  };
}

async function bindKoffi(): Promise<Openat2 | string> {
  let koffi;
  try {
    koffi = (await import('koffi')).default;
  } catch {
    return 'openat2 needs Node 26.9 or the package koffi: npm install koffi';
  }
  const syscall = koffi
    .load(null)
    .func('int syscall(long number, int directory, const char *path, void *how, size_t size)');
  const memory = new ArrayBuffer(OPEN_HOW_ALLOCATION);
  const address = koffi.address(memory);
  const how = new Uint32Array(memory);
  return function openat2(directory, path, flags, resolve) {
    writeOpenHow(how, flags, resolve);
    const result = syscall(SYS_OPENAT2, directory, path, address, OPEN_HOW_BYTES) as number;
    return result < 0 ? -koffi.errno() : result;
  };
}

/** The low halves of the three numbers, on a little-endian machine; `mode` stays 0, since nothing is created here. */
function writeOpenHow(how: Uint32Array, flags: number, resolve: number): void {
  how[0] = flags;
  how[4] = resolve;
}

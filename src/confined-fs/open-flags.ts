import { constants } from 'node:fs';

/** Not in `fs.constants`: a handle that only names the object (open(2)). The same on every architecture of Linux. */
const O_PATH = 0x20_0000;

/** Windows has none of these flags; there they are no bits at all. */
function flag(name: keyof typeof constants): number {
  const value: unknown = constants[name];
  return typeof value === 'number' ? value : 0;
}

/** `O_NONBLOCK` keeps a FIFO from blocking the thread pool, `O_NOCTTY` a terminal from becoming the process's own. */
export const READ_FLAGS = constants.O_RDONLY | flag('O_NONBLOCK') | flag('O_NOCTTY') | flag('O_NOFOLLOW');
export const DIRECTORY_FLAGS = constants.O_RDONLY | flag('O_DIRECTORY') | flag('O_NOFOLLOW');
export const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | flag('O_NOFOLLOW');
/** Opens nothing: no FIFO is waited for, no device is touched. Linux only. */
export const IDENTIFY_FLAGS = O_PATH | flag('O_NOFOLLOW');
export const IDENTIFY_DIRECTORY_FLAGS = O_PATH | flag('O_DIRECTORY') | flag('O_NOFOLLOW');

import { readdirSync, readlinkSync } from 'node:fs';
import { stat } from 'node:fs/promises';

const PROC = '/proc/self/fd';
/** Round trips through the thread pool, where descriptors are closed, before one counts as leaked. */
const MAX_ROUNDS = 500;

/** How many descriptors of this process are open on something below a directory, or on what was there. */
export function openDescriptorsBelow(directory: string): number {
  return readdirSync(PROC).filter((fd) => targetOf(fd).startsWith(directory)).length;
}

/** As {@link openDescriptorsBelow}, when the thread pool has had the time to close what it was told to. */
export async function settledDescriptorsBelow(directory: string, expected: number): Promise<number> {
  for (let round = 0; round < MAX_ROUNDS && openDescriptorsBelow(directory) !== expected; round += 1) {
    await stat(PROC);
  }
  return openDescriptorsBelow(directory);
}

/** The descriptor that was used to read the directory is gone by now. */
function targetOf(fd: string): string {
  try {
    return readlinkSync(`${PROC}/${fd}`);
  } catch {
    return '';
  }
}

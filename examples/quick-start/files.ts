import type { IncomingMessage } from 'node:http';
import { StreamableFile } from '@nestjs/common';
import type { FileStat, TenantDirectory } from 'nestjs-keyfence';

const MAX_UPLOAD_BYTES = 64 * 1024 * 1024;
const MAX_ENTRIES = 1_000;

/** Everything that a tenant has, by name. */
export async function listAll(files: TenantDirectory): Promise<FileStat[]> {
  const entries: FileStat[] = [];
  for await (const entry of files.list('', { recursive: true, limit: MAX_ENTRIES })) entries.push(entry);
  return entries.sort((a, b) => a.path.localeCompare(b.path));
}

/** One file as an attachment. The stream keeps the file open until the last byte is sent. */
export async function download(files: TenantDirectory, path: string): Promise<StreamableFile> {
  await using file = await files.open(path);
  return new StreamableFile(file.createReadStream(), {
    type: 'application/octet-stream',
    disposition: 'attachment',
    length: file.size,
  });
}

/** The raw bytes of a request, of any type, into a file: all of them or nothing. */
export function upload(files: TenantDirectory, path: string, body: IncomingMessage): Promise<FileStat> {
  return files.writeFile(path, body, { maxBytes: MAX_UPLOAD_BYTES });
}

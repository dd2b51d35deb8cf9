import type { IncomingMessage } from 'node:http';
import { Controller, Delete, Get, HttpCode, HttpStatus, Put, Req, StreamableFile } from '@nestjs/common';
import { ScopesByMethod, TenantFiles, TenantPath, type FileStat, type TenantDirectory } from 'nestjs-keyfence';

const MAX_UPLOAD_BYTES = 64 * 1024 * 1024;

/** GET needs `files:read`, PUT and DELETE need `files:write`. */
@Controller('files')
@ScopesByMethod('files')
export class FilesController {
  @Get()
  async list(@TenantFiles() files: TenantDirectory): Promise<FileStat[]> {
    const entries: FileStat[] = [];
    for await (const entry of files.list('', { recursive: true, limit: 1_000 })) entries.push(entry);
    return entries.sort((a, b) => a.path.localeCompare(b.path));
  }

  @Get('*path')
  async read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<StreamableFile> {
    await using file = await files.open(path);
    return new StreamableFile(file.createReadStream(), {
      type: 'application/octet-stream',
      disposition: 'attachment',
      length: file.size,
    });
  }

  @Put('*path')
  async write(
    @TenantFiles() files: TenantDirectory,
    @TenantPath() path: string,
    @Req() request: IncomingMessage & { raw?: IncomingMessage },
  ): Promise<FileStat> {
    return files.writeFile(path, request.raw ?? request, { maxBytes: MAX_UPLOAD_BYTES });
  }

  @Delete('*path')
  @HttpCode(HttpStatus.NO_CONTENT)
  async remove(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<void> {
    await files.remove(path);
  }
}

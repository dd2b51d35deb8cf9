import type { IncomingMessage } from 'node:http';
import { Controller, Delete, Get, HttpCode, HttpStatus, Put, Req, type StreamableFile } from '@nestjs/common';
import { ScopesByMethod, TenantFiles, TenantPath, type FileStat, type TenantDirectory } from 'nestjs-keyfence';
import { download, listAll, upload } from '../quick-start/files.js';

/** As in the quick start, but for Fastify: a wildcard without a name, and a request that holds node:http's own. */
@Controller('files')
@ScopesByMethod('files')
export class FilesController {
  @Get()
  list(@TenantFiles() files: TenantDirectory): Promise<FileStat[]> {
    return listAll(files);
  }

  @Get('*')
  read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<StreamableFile> {
    return download(files, path);
  }

  @Put('*')
  write(
    @TenantFiles() files: TenantDirectory,
    @TenantPath() path: string,
    @Req() request: { raw: IncomingMessage },
  ): Promise<FileStat> {
    return upload(files, path, request.raw);
  }

  @Delete('*')
  @HttpCode(HttpStatus.NO_CONTENT)
  remove(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<void> {
    return files.remove(path);
  }
}

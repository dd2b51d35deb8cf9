import type { IncomingMessage } from 'node:http';
import { Controller, Delete, Get, HttpCode, HttpStatus, Put, Req, type StreamableFile } from '@nestjs/common';
import { ScopesByMethod, TenantFiles, TenantPath, type FileStat, type TenantDirectory } from 'nestjs-keyfence';
import { download, listAll, upload } from './files.js';

/** GET needs `files:read`, PUT and DELETE need `files:write`. */
@Controller('files')
@ScopesByMethod('files')
export class FilesController {
  @Get()
  list(@TenantFiles() files: TenantDirectory): Promise<FileStat[]> {
    return listAll(files);
  }

  @Get('*path')
  read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<StreamableFile> {
    return download(files, path);
  }

  @Put('*path')
  write(
    @TenantFiles() files: TenantDirectory,
    @TenantPath() path: string,
    @Req() request: IncomingMessage,
  ): Promise<FileStat> {
    return upload(files, path, request);
  }

  @Delete('*path')
  @HttpCode(HttpStatus.NO_CONTENT)
  remove(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<void> {
    return files.remove(path);
  }
}

import { Controller, Get, StreamableFile, type Type } from '@nestjs/common';
import { RequireScopes, TenantFiles, TenantPath, type FileStat, type TenantDirectory } from 'nestjs-keyfence';
import type { Platform } from './platform.js';
import { WILDCARD } from './wildcard.js';

/** Made for a platform, since each writes a wildcard in its own way. */
export function createFilesController(platform: Platform): Type<unknown> {
  @Controller('files')
  @RequireScopes('files:read')
  class FilesController {
    @Get()
    async list(@TenantFiles() files: TenantDirectory): Promise<FileStat[]> {
      const entries: FileStat[] = [];
      for await (const entry of files.list()) entries.push(entry);
      return entries;
    }

    @Get(WILDCARD[platform])
    async read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<StreamableFile> {
      return new StreamableFile(await files.createReadStream(path), { type: 'text/plain' });
    }
  }
  return FilesController;
}

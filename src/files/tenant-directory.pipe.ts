import { Injectable, type PipeTransform } from '@nestjs/common';
import type { Principal } from '../principal/principal.js';
import { FileService } from './file.service.js';
import type { TenantDirectory } from './tenant-directory.js';

/** Turns the caller into the directory of the caller's tenant; `@TenantFiles()` is the way to use it. */
@Injectable()
export class TenantDirectoryPipe implements PipeTransform<Principal, TenantDirectory> {
  constructor(private readonly files: FileService) {}

  transform(principal: Principal): TenantDirectory {
    return this.files.forPrincipal(principal);
  }
}

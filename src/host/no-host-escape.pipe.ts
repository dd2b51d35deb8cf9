import { Injectable, Optional, type PipeTransform } from '@nestjs/common';
import { validateNoHostEscape, type HostPath } from './validate-no-host-escape.js';

/**
 * `validateNoHostEscape` for a parameter of a route.
 * @example
 * @Get('raw')
 * read(@Query('path', new NoHostEscapePipe(['/srv/exports'])) path: HostPath) {}
 */
@Injectable()
export class NoHostEscapePipe implements PipeTransform<string, HostPath> {
  constructor(@Optional() private readonly allowedPrefixes?: readonly string[]) {}

  transform(value: string): HostPath {
    return validateNoHostEscape(value, this.allowedPrefixes);
  }
}

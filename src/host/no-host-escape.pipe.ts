import { Injectable, Optional, type PipeTransform } from '@nestjs/common';
import { InvalidPathException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { resolvePrefixes, validateNoHostEscape, type HostPath } from './validate-no-host-escape.js';

/**
 * `validateNoHostEscape` for a parameter of a route.
 * @example
 * @Get('raw')
 * read(@Query('path', new NoHostEscapePipe(['/srv/exports'])) path: HostPath) {}
 */
@Injectable()
export class NoHostEscapePipe implements PipeTransform<string, HostPath> {
  /**
   * @param allowedPrefixes absolute directories; `/sandbox/tenants` and `/tmp/container-safe` if left out
   * @throws KeyfenceConfigurationError if one is not absolute, or leads to the root of the file system
   */
  constructor(@Optional() private readonly allowedPrefixes?: readonly string[]) {
    if (allowedPrefixes !== undefined) resolvePrefixes(allowedPrefixes);
  }

  /** @throws InvalidPathException where the parameter is missing */
  transform(value: string): HostPath {
    if (typeof value !== 'string') throw withoutStack(() => new InvalidPathException());
    return validateNoHostEscape(value, this.allowedPrefixes);
  }
}

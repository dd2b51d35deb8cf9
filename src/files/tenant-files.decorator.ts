import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { RequiredPrincipal } from '../tenant/current-principal.decorator.js';
import { TenantDirectoryPipe } from './tenant-directory.pipe.js';

/** Parameter: the directory of the caller's tenant. Without a valid key the call is answered `missing_credentials`. */
export const TenantFiles = (): ParameterDecorator => RequiredPrincipal(TenantDirectoryPipe);

const WILDCARD_CURE = "Write @Get('files/*path') on Express, and @Get('files/*') on Fastify or Nest 10.";

/** Parts of a request that tell what was asked for, on Express, Fastify and node:http. */
interface WildcardRequest {
  readonly params?: Readonly<Record<string, string | readonly string[]>>;
  /** The pattern of the route, on Express and on Fastify. */
  readonly route?: { readonly path?: unknown };
  readonly routeOptions?: { readonly url?: unknown };
  readonly originalUrl?: string;
  readonly url?: string;
}

/**
 * Parameter: what the wildcard of the route stands for, as one path: of `GET /files/a/b` it is `a/b`, on
 * `@Get('files/*path')` with Express and `@Get('files/*')` with Fastify or Nest 10. It is the caller's text: give it to a verb of {@link TenantFiles} and to nothing else.
 * A slash that was sent encoded (`%2F`) is refused, since the two would take it differently.
 */
export const TenantPath = createParamDecorator((_data: unknown, context: ExecutionContext): string => {
  const request = context.switchToHttp().getRequest<WildcardRequest>();
  const [path = ''] = (request.originalUrl ?? request.url ?? '').split('?', 1);
  if (/%2f|%5c/i.test(path)) throw withoutStack(() => new PathEscapeException('encoded'));
  const pattern = request.route?.path ?? request.routeOptions?.url;
  if (typeof pattern === 'string' && !pattern.includes('*')) {
    throw new KeyfenceConfigurationError('@TenantPath()', 'stands on a route without a wildcard', WILDCARD_CURE);
  }
  return wildcardOf(request.params ?? {});
});

/** Express 5 gives the components of a named wildcard, Fastify `*`, and Express 4 its first number. */
function wildcardOf(params: Readonly<Record<string, string | readonly string[]>>): string {
  const components = Object.values(params).find((value) => typeof value !== 'string');
  if (components !== undefined) return components.join('/');
  const text = params['*'] ?? params['0'] ?? '';
  return typeof text === 'string' ? text : '';
}

import { runWithCarrier } from './async-context.js';
import { rawRequestOf } from './call.js';
import type { HttpAdapter } from './http-adapter.js';

interface FastifyHooks {
  addHook(name: 'preHandler', hook: (request: object, reply: unknown, done: () => void) => void): unknown;
}

/**
 * Runs every request in its own async context. It is mounted on the framework itself, for all requests alike, so that no
 * form of a URL passes it by. On Fastify it comes after the body was read, whose events would otherwise lose the context;
 * Nest's adapter for Express reads bodies before. An interceptor would do too, at ten times the cost: Nest takes a longer
 * way for every handler that has one.
 */
export function mountTenantContext(adapter: HttpAdapter | undefined): void {
  if (adapter === undefined) return;
  if (adapter.getType() === 'fastify') {
    (adapter.getInstance() as FastifyHooks).addHook('preHandler', function tenantContext(request, _reply, done) {
      runWithCarrier(rawRequestOf(request) ?? request, done);
    });
    return;
  }
  adapter.use(function tenantContext(request, _response, next) {
    runWithCarrier(rawRequestOf(request) ?? request, next);
  });
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAdapter } from '../tenant/http-adapter.js';
import type { ApiKeyValidationMiddleware } from './api-key-validation.middleware.js';
import type { RefusalAnswer } from './refusal.js';

interface FastifyRequest {
  readonly raw: IncomingMessage;
}

interface FastifyReply {
  code(status: number): FastifyReply;
  headers(values: Readonly<Record<string, string>>): FastifyReply;
  send(body: string): unknown;
}

type Done = (error?: unknown) => void;

interface FastifyHooks {
  addHook(name: 'onRequest', hook: (request: FastifyRequest, reply: FastifyReply, done: Done) => void): unknown;
}

/**
 * Puts the middleware before all requests, on the framework itself: Nest's own way matches every path against patterns
 * once more, and on Fastify it goes through a plugin that reads a dozen properties of each request first. No form of a URL
 * passes it by.
 */
export function mountApiKeyValidation(adapter: HttpAdapter | undefined, middleware: ApiKeyValidationMiddleware): void {
  if (adapter === undefined) return;
  if (adapter.getType() === 'fastify') mountOnFastify(adapter.getInstance() as FastifyHooks, middleware);
  else mountOnExpress(adapter, middleware);
}

function mountOnExpress(adapter: HttpAdapter, middleware: ApiKeyValidationMiddleware): void {
  adapter.use(function apiKeyValidation(request, response, next) {
    const pending = middleware.use(request as IncomingMessage, response as ServerResponse, next);
    // Express 4 does not look at what middleware returns.
    if (pending instanceof Promise) pending.catch(next);
  });
}

/** Fastify's own request is handed over too, since node:http's does not know the address behind a proxy. */
function mountOnFastify(fastify: FastifyHooks, middleware: ApiKeyValidationMiddleware): void {
  fastify.addHook('onRequest', function apiKeyValidation(request, reply, done) {
    const checked = middleware.check(request.raw, request);
    if (checked instanceof Promise) {
      checked
        .then((answer) => {
          proceed(reply, answer, done);
        })
        .catch(done);
    } else proceed(reply, checked, done);
  });
}

/** The answer goes through the reply, which holds the headers that other hooks have set, those of CORS among them. */
function proceed(reply: FastifyReply, answer: RefusalAnswer | undefined, done: Done): void {
  if (answer === undefined) {
    done();
    return;
  }
  const { status, headers, body } = answer;
  reply.code(status).headers(headers).send(body);
}

import { Inject, Injectable, Logger, RequestMethod, type OnApplicationBootstrap } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { describePolicy, policyOf } from './access-rule.js';
import { SCOPE_OPTIONS, type ScopeOptions } from './scope-options.js';
import { ScopedKeyGuard } from './scoped-key.guard.js';

/** One handler of the application and what it requires. */
export interface RouteRequirement {
  readonly transport: 'http' | 'ws' | 'rpc' | 'graphql';
  /** The class that has the handler. */
  readonly controller: string;
  readonly handler: string;
  /** `GET /files/:id` without global prefix and version, a message's name, a pattern, a field. */
  readonly route: string;
  /** `unguarded`: with `guard: 'manual'`, where `ScopedKeyGuard` does not stand before it. */
  readonly access: 'public' | 'key' | 'undeclared' | 'unguarded';
  /** In words, such as `files:read`; empty for a public or undeclared handler. */
  readonly requires: readonly string[];
}

/** Metadata of Nest, by the names that its own packages use; they are not exported. */
const GUARDS = '__guards__';
const HTTP_PATH = 'path';
const HTTP_METHOD = 'method';
const WS_MESSAGE = 'message';
const RPC_PATTERN = 'microservices:pattern';
const GRAPHQL_TYPE = 'graphql:resolver_type';
const GRAPHQL_NAME = 'graphql:resolver_name';

type Constructor = abstract new (...args: never[]) => unknown;

/**
 * What every handler of the application requires: as data, for a test or a check in CI, and as a line in the boot log for
 * those that will be denied because they declare nothing.
 * @example
 * expect(app.get(RouteCoverage).list().filter((route) => route.access === 'undeclared')).toEqual([]);
 */
@Injectable()
export class RouteCoverage implements OnApplicationBootstrap {
  constructor(
    private readonly modules: ModulesContainer,
    @Inject(SCOPE_OPTIONS) private readonly options: ScopeOptions,
  ) {}

  /** @throws KeyfenceConfigurationError with `undeclaredRoutes: 'refuse-boot'`, if a handler declares nothing */
  onApplicationBootstrap(): void {
    const undeclared = this.list().filter((route) => route.access === 'undeclared');
    if (undeclared.length === 0) return;
    if (this.options.undeclaredRoutes === 'refuse-boot') {
      throw new KeyfenceConfigurationError(
        'undeclaredRoutes',
        "is 'refuse-boot', and there are handlers that declare nothing",
        formatUndeclared(undeclared),
      );
    }
    new Logger('Keyfence').warn(formatUndeclared(undeclared));
  }

  /** Every handler, class by class. */
  list(): RouteRequirement[] {
    return this.#classes().flatMap((target) => this.#handlersOf(target));
  }

  #classes(): Constructor[] {
    const classes = new Set<Constructor>();
    for (const module of this.modules.values()) {
      for (const { metatype } of [...module.controllers.values(), ...module.providers.values()]) {
        if (typeof metatype === 'function' && (metatype.prototype as unknown) !== undefined) {
          classes.add(metatype as Constructor);
        }
      }
    }
    return [...classes];
  }

  #handlersOf(target: Constructor): RouteRequirement[] {
    const prototype = target.prototype as Record<string, unknown>;
    return new MetadataScanner().getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      if (typeof handler !== 'function') return [];
      return endpointsOf(target, handler).map((endpoint) => ({
        ...endpoint,
        controller: target.name,
        handler: name,
        ...this.#accessOf(target, handler),
      }));
    });
  }

  #accessOf(target: Constructor, handler: object): Pick<RouteRequirement, 'access' | 'requires'> {
    if (this.options.guard === 'manual' && !isGuarded(target) && !isGuarded(handler)) {
      return { access: 'unguarded', requires: [] };
    }
    const policy = policyOf(target, handler);
    return { access: policy.access, requires: describePolicy(policy) };
  }
}

type Endpoint = Pick<RouteRequirement, 'transport' | 'route'>;

function endpointsOf(target: object, handler: object): Endpoint[] {
  const method: unknown = Reflect.getMetadata(HTTP_METHOD, handler);
  if (typeof method === 'number') {
    const verb = RequestMethod[method] ?? 'ALL';
    return pathsOf(target, handler).map((path) => ({ transport: 'http', route: `${verb} ${path}` }));
  }
  const patterns: unknown = Reflect.getMetadata(RPC_PATTERN, handler);
  if (Array.isArray(patterns)) {
    return patterns.map((pattern: unknown) => ({ transport: 'rpc', route: textOf(pattern) }));
  }
  if (Reflect.hasMetadata(GRAPHQL_TYPE, handler)) {
    return [{ transport: 'graphql', route: textOf(Reflect.getMetadata(GRAPHQL_NAME, handler) ?? '') }];
  }
  const message: unknown = Reflect.getMetadata(WS_MESSAGE, handler);
  return message === undefined ? [] : [{ transport: 'ws', route: textOf(message) }];
}

function pathsOf(target: object, handler: object): string[] {
  const bases = listOf(Reflect.getMetadata(HTTP_PATH, target) ?? '');
  const paths = listOf(Reflect.getMetadata(HTTP_PATH, handler) ?? '');
  return bases.flatMap((base) =>
    paths.map((path) => `/${base}/${path}`.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')),
  );
}

function listOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isGuarded(target: object): boolean {
  const guards: unknown = Reflect.getMetadata(GUARDS, target);
  return Array.isArray(guards) && guards.some((guard) => guard === ScopedKeyGuard || guard instanceof ScopedKeyGuard);
}

function formatUndeclared(routes: readonly RouteRequirement[]): string {
  const lines = [`${routes.length} handler(s) declare no requirement, so every call is answered 403 undeclared_route:`];
  for (const controller of new Set(routes.map((route) => route.controller))) {
    lines.push(`  ${controller}`);
    for (const { route, handler } of routes.filter((candidate) => candidate.controller === controller)) {
      lines.push(`    ${route}  ${handler}()`);
    }
  }
  lines.push(
    "Add to each method, or to its class, one of: @RequireScopes('resource:action')  @RequireApiKey()  @SkipApiKey()",
  );
  return lines.join('\n');
}

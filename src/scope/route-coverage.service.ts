import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { describePolicy, policyOf } from './access-rule.js';
import { guardsOn, handlersOf, type Handler } from './handlers.js';
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
  /** `unguarded`: with `guard: 'manual'`, where `ScopedKeyGuard` itself does not stand before it. */
  readonly access: 'public' | 'key' | 'undeclared' | 'unguarded';
  /** What its decorators say, in words, such as `files:read`. */
  readonly requires: readonly string[];
}

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
    const logger = new Logger('Keyfence');
    const forgotten = handlersOf(this.modules).filter((handler) => this.#isForgotten(handler));
    if (forgotten.length > 0) logger.warn(formatForgotten(forgotten.map((handler) => this.#requirementOf(handler))));
    const undeclared = this.list().filter((route) => route.access === 'undeclared');
    if (undeclared.length === 0) return;
    if (this.options.undeclaredRoutes === 'refuse-boot') {
      throw new KeyfenceConfigurationError(
        'undeclaredRoutes',
        "is 'refuse-boot', and there are handlers that declare nothing",
        formatUndeclared(undeclared),
      );
    }
    logger.warn(formatUndeclared(undeclared));
  }

  /** Every handler, class by class. */
  list(): RouteRequirement[] {
    return handlersOf(this.modules).map((handler) => this.#requirementOf(handler));
  }

  #requirementOf(handler: Handler): RouteRequirement {
    const { transport, route, target, name, method } = handler;
    const policy = policyOf(target, method);
    const access = this.#isGuarded(handler) ? policy.access : 'unguarded';
    return { transport, controller: target.name, handler: name, route, access, requires: describePolicy(policy) };
  }

  #isGuarded({ target, method }: Handler): boolean {
    if (this.options.guard === 'global') return true;
    return [...guardsOn(target), ...guardsOn(method)].some(isKeyGuard);
  }

  /** It says what it requires, and nothing at all stands before it. */
  #isForgotten(handler: Handler): boolean {
    const { target, method } = handler;
    if (this.options.guard === 'global' || policyOf(target, method).access !== 'key') return false;
    return guardsOn(target).length === 0 && guardsOn(method).length === 0;
  }
}

/** The guard or one that extends it, as `@UseGuards` takes them: as a class or as an instance. */
function isKeyGuard(guard: unknown): boolean {
  if (guard === ScopedKeyGuard || guard instanceof ScopedKeyGuard) return true;
  return typeof guard === 'function' && guard.prototype instanceof ScopedKeyGuard;
}

function formatUndeclared(routes: readonly RouteRequirement[]): string {
  return [
    `${routes.length} handler(s) declare no requirement, so every call is answered 403 undeclared_route:`,
    ...byController(routes),
    "Add to each method, or to its class, one of: @RequireScopes('resource:action')  @RequireApiKey()  @SkipApiKey()",
  ].join('\n');
}

function formatForgotten(routes: readonly RouteRequirement[]): string {
  return [
    `${routes.length} handler(s) declare a requirement, and no guard stands before them, so nobody checks it:`,
    ...byController(routes),
    "Add @UseGuards(ScopedKeyGuard) to each class, or set guard: 'global'.",
  ].join('\n');
}

function byController(routes: readonly RouteRequirement[]): string[] {
  return [...new Set(routes.map((route) => route.controller))].flatMap((controller) => [
    `  ${controller}`,
    ...routes
      .filter((candidate) => candidate.controller === controller)
      .map(({ route, handler }) => `    ${route}  ${handler}()`),
  ]);
}

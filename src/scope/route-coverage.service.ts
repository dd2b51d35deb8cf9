import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
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
  /** `unguarded`: with `guard: 'manual'`, where neither `ScopedKeyGuard` nor a guard that extends it stands before it. */
  readonly access: 'public' | 'key' | 'undeclared' | 'unguarded';
  /** What its decorators say, in words, such as `files:read`. */
  readonly requires: readonly string[];
}

/**
 * What every handler of the application requires: as data, for a test or a check in CI, and as a line in the boot log for
 * those that will be denied because they declare nothing.
 * @example
 * expect(app.get(RouteCoverage).uncovered()).toEqual([]);
 */
@Injectable()
export class RouteCoverage implements OnApplicationBootstrap {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly application: ApplicationConfig,
    @Inject(SCOPE_OPTIONS) private readonly options: ScopeOptions,
  ) {}

  /** @throws KeyfenceConfigurationError with `undeclaredRoutes: 'refuse-boot'`, if {@link uncovered} has any */
  onApplicationBootstrap(): void {
    const uncovered = this.uncovered();
    if (uncovered.length === 0) return;
    if (this.options.undeclaredRoutes === 'refuse-boot') {
      throw new KeyfenceConfigurationError(
        'undeclaredRoutes',
        "is 'refuse-boot', and there are handlers that are not covered",
        formatUncovered(uncovered),
      );
    }
    new Logger('Keyfence').warn(formatUncovered(uncovered));
  }

  /** Every handler, class by class. */
  list(): RouteRequirement[] {
    return handlersOf(this.modules).map((handler) => this.#requirementOf(handler));
  }

  /** Handlers that are denied because they declare nothing, and those whose requirement nobody checks (`unguarded`). */
  uncovered(): RouteRequirement[] {
    return this.list().filter(
      ({ access, requires }) => access === 'undeclared' || (access === 'unguarded' && requires.length > 0),
    );
  }

  #requirementOf(handler: Handler): RouteRequirement {
    const { transport, route, target, name, method } = handler;
    const policy = policyOf(target, method);
    const access = this.#isGuarded(handler) ? policy.access : 'unguarded';
    return { transport, controller: target.name, handler: name, route, access, requires: describePolicy(policy) };
  }

  #isGuarded({ target, method }: Handler): boolean {
    if (this.options.guard === 'global') return true;
    return [...this.application.getGlobalGuards(), ...guardsOn(target), ...guardsOn(method)].some(isKeyGuard);
  }
}

/** The guard or one that extends it, as `@UseGuards` takes them: as a class or as an instance. */
function isKeyGuard(guard: unknown): boolean {
  if (guard === ScopedKeyGuard || guard instanceof ScopedKeyGuard) return true;
  return typeof guard === 'function' && guard.prototype instanceof ScopedKeyGuard;
}

function formatUncovered(routes: readonly RouteRequirement[]): string {
  const undeclared = routes.filter(({ access }) => access === 'undeclared');
  const unguarded = routes.filter(({ access }) => access === 'unguarded');
  return [...formatUndeclared(undeclared), ...formatUnguarded(unguarded)].join('\n');
}

function formatUndeclared(routes: readonly RouteRequirement[]): string[] {
  if (routes.length === 0) return [];
  return [
    `${routes.length} handler(s) declare no requirement, so every call is answered 403 undeclared_route:`,
    ...byController(routes),
    "Add to each method, or to its class, one of: @RequireScopes('resource:action')  @RequireApiKey()  @SkipApiKey()",
  ];
}

function formatUnguarded(routes: readonly RouteRequirement[]): string[] {
  if (routes.length === 0) return [];
  return [
    `${routes.length} handler(s) declare a requirement, and ScopedKeyGuard does not stand before them, so nobody checks it:`,
    ...byController(routes),
    "Add @UseGuards(ScopedKeyGuard), or a guard of your own that extends it, to each class; or set guard: 'global'.",
  ];
}

function byController(routes: readonly RouteRequirement[]): string[] {
  return [...new Set(routes.map((route) => route.controller))].flatMap((controller) => [
    `  ${controller}`,
    ...routes
      .filter((candidate) => candidate.controller === controller)
      .map(({ route, handler }) => `    ${route}  ${handler}()`),
  ]);
}

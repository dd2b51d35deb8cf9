import type { Constructor } from './access-rule.js';

/** One method of a controller, gateway or resolver that a caller can reach, in one way. */
export interface Handler {
  readonly target: Constructor;
  readonly name: string;
  readonly method: object;
  readonly transport: 'http' | 'ws' | 'rpc' | 'graphql';
  /** `GET /files/:id`, a message's name, a pattern, a field. */
  readonly route: string;
}

/** What is used of Nest's modules. */
interface Modules {
  values(): Iterable<{ readonly controllers: Members; readonly providers: Members }>;
}

interface Members {
  values(): Iterable<{ readonly metatype: unknown }>;
}

/** Metadata of Nest, by the names that its own packages use; they are not exported. */
const GUARDS = '__guards__';
const HTTP_PATH = 'path';
const HTTP_METHOD = 'method';
const WS_MESSAGE = 'message';
const RPC_PATTERN = 'microservices:pattern';
const GRAPHQL_TYPE = 'graphql:resolver_type';
const GRAPHQL_NAME = 'graphql:resolver_name';

/** In the order of Nest's `RequestMethod`. */
const VERBS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'ALL',
  'OPTIONS',
  'HEAD',
  'SEARCH',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
];

/** Every handler of an application, class by class. */
export function handlersOf(modules: Modules): Handler[] {
  const classes = new Set<Constructor>();
  for (const module of modules.values()) {
    for (const { metatype } of [...module.controllers.values(), ...module.providers.values()]) {
      if (typeof metatype === 'function' && typeof metatype.prototype === 'object')
        classes.add(metatype as Constructor);
    }
  }
  return [...classes].flatMap(handlersOfClass);
}

/** The guards that `@UseGuards` put on a class or a method. */
export function guardsOn(target: object): unknown[] {
  const guards: unknown = Reflect.getMetadata(GUARDS, target);
  return Array.isArray(guards) ? guards : [];
}

/** Guards that were put somewhere here, and not by `@UseGuards`. */
const placed = new WeakSet<object>();

/**
 * Puts a guard before those of a method, or none: metadata belongs to the class, so a guard of another application in this
 * process is taken away in any case.
 */
export function placeGuard(method: object, guard: object | undefined): void {
  const guards = guardsOn(method);
  const others = guards.filter((other) => !placed.has(other as object));
  if (guard !== undefined) placed.add(guard);
  if (guard === undefined && others.length === guards.length) return;
  Reflect.defineMetadata(GUARDS, guard === undefined ? others : [guard, ...others], method);
}

function handlersOfClass(target: Constructor): Handler[] {
  return methodsOf(target).flatMap(({ name, method }) =>
    endpointsOf(target, method).map((endpoint) => ({ target, name, method, ...endpoint })),
  );
}

/** As Nest finds them: of the class and of those it extends, an overriding method once. */
function methodsOf(target: Constructor): { name: string; method: object }[] {
  const methods = new Map<string, object>();
  let prototype = target.prototype as object | null;
  while (prototype !== null && prototype !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value === 'function' && name !== 'constructor' && !methods.has(name))
        methods.set(name, value as object);
    }
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return [...methods].map(([name, method]) => ({ name, method }));
}

type Endpoint = Pick<Handler, 'transport' | 'route'>;

function endpointsOf(target: object, method: object): Endpoint[] {
  const verb: unknown = Reflect.getMetadata(HTTP_METHOD, method);
  if (typeof verb === 'number') {
    return pathsOf(target, method).map((path) => ({ transport: 'http', route: `${VERBS[verb] ?? 'ALL'} ${path}` }));
  }
  const patterns: unknown = Reflect.getMetadata(RPC_PATTERN, method);
  if (patterns !== undefined) return listOf(patterns).map((pattern) => ({ transport: 'rpc', route: textOf(pattern) }));
  if (Reflect.hasMetadata(GRAPHQL_TYPE, method)) {
    return [{ transport: 'graphql', route: textOf(Reflect.getMetadata(GRAPHQL_NAME, method) ?? '') }];
  }
  const message: unknown = Reflect.getMetadata(WS_MESSAGE, method);
  return message === undefined ? [] : [{ transport: 'ws', route: textOf(message) }];
}

function pathsOf(target: object, method: object): string[] {
  const bases = listOf(Reflect.getMetadata(HTTP_PATH, target) ?? '');
  const paths = listOf(Reflect.getMetadata(HTTP_PATH, method) ?? '');
  return bases.flatMap((base) => paths.map((path) => joinUrl(String(base), String(path))));
}

function joinUrl(base: string, path: string): string {
  return `/${[base, path].join('/').split('/').filter(Boolean).join('/')}`;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

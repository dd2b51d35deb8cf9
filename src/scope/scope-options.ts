/** The options of this folder, validated; made by the module. */
export interface ScopeOptions {
  /** Whether the guard stands before every handler of the application, or where `@UseGuards` puts it. */
  readonly guard: 'global' | 'manual';
  /** What to do at boot about handlers that declare no requirement; they are denied in any case. */
  readonly undeclaredRoutes: 'deny' | 'refuse-boot';
}

/** Injection token of {@link ScopeOptions}. */
export const SCOPE_OPTIONS = Symbol.for('nestjs-keyfence:scope-options');

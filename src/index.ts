export { KeyfenceModule } from './keyfence.module.js';
export type { ExcludedRoute, KeyfenceOptions, KeyfenceOptionsFactory } from './options.js';

export { ApiKeyValidationMiddleware } from './api-key/api-key-validation.middleware.js';
export { ScopedKeyGuard } from './scope/scoped-key.guard.js';
export {
  RequireAnyScope,
  RequireApiKey,
  RequireScopes,
  ScopesByMethod,
  SkipApiKey,
  type AccessDecorator,
} from './scope/require-scopes.decorator.js';
export { RouteCoverage, type RouteRequirement } from './scope/route-coverage.service.js';

export { CurrentPrincipal, CurrentTenant } from './tenant/current-principal.decorator.js';
export { TenantContextInterceptor } from './tenant/tenant-context.interceptor.js';
export { TenantContext } from './tenant/tenant-context.service.js';
export type { Principal } from './principal/principal.js';
export { coversScopes, isScope, missingScopes, type Scope } from './principal/scope.js';
export { isTenantId, type TenantId } from './principal/tenant-id.js';

export type { ApiKeyRecord, StoredApiKey } from './api-key/api-key-record.js';
export { ApiKeySecret } from './api-key/api-key-secret.js';
export { ApiKeyService } from './api-key/api-key.service.js';
export {
  TenantApiKeys,
  type IssuedApiKey,
  type ListKeysOptions,
  type RotateOptions,
} from './api-key/tenant-api-keys.js';
export {
  ApiKeyStore,
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from './api-key/api-key.store.js';
export { InMemoryApiKeyStore, type ExistingKey } from './api-key/in-memory-api-key.store.js';
export type { Peppers } from './api-key/key-digest.js';
export { KeyInvalidation } from './api-key/key-invalidation.service.js';
export {
  InProcessInvalidationBus,
  KeyInvalidationBus,
  type InvalidationListener,
} from './api-key/key-invalidation-bus.js';
export type { ApiKeyChanges, NewApiKey } from './api-key/new-api-key.js';

export type {
  AccessDeniedEvent,
  FaultEvent,
  KeyfenceEvent,
  KeyLifecycleEvent,
  KeyReference,
  KeysPrunedEvent,
} from './events/keyfence-event.js';
export { EVENT_CHANNEL, KeyfenceEvents } from './events/keyfence-events.service.js';
export type { Duration } from './time/duration.js';
export { pinoRedaction, type PinoRedaction, type PinoRedactionOptions } from './api-key/pino-redaction.js';
export { redactKeys } from './api-key/redact-keys.js';
export {
  secretScannerRules,
  type GithubSecretPattern,
  type SecretScannerRules,
} from './api-key/secret-scanner-rules.js';

export { ConfinedDirectory, type DirectoryUsage } from './confined-fs/confined-directory.js';
export { ConfinedFile as TenantFile, type ByteRange } from './confined-fs/confined-file.js';
export type { EngineName } from './confined-fs/engine.js';
export type { FileStat } from './confined-fs/file-stat.js';
export type { ListOptions } from './confined-fs/list-entries.js';
export { isPathGrant, type PathGrant } from './confined-fs/path-grant.js';
export type { RemoveTreeOptions } from './confined-fs/remove-tree.js';
export type { RenameOptions } from './confined-fs/rename-entry.js';
export type { Strictness } from './confined-fs/strictness.js';
export type { FileContent, WriteFileOptions } from './confined-fs/write-file.js';
export { FileService } from './files/file.service.js';
export { TenantDirectory } from './files/tenant-directory.js';
export { TenantFiles, TenantPath } from './files/tenant-files.decorator.js';

export { NoHostEscapePipe } from './host/no-host-escape.pipe.js';
export { DEFAULT_ALLOWED_PREFIXES, validateNoHostEscape, type HostPath } from './host/validate-no-host-escape.js';

export {
  InvalidApiKeyException,
  MissingCredentialsException,
  type InvalidKeyReason,
} from './errors/authentication.exceptions.js';
export {
  GrantExceededException,
  InsufficientScopeException,
  UndeclaredRouteException,
} from './errors/authorization.exceptions.js';
export { KeyfenceConfigurationError } from './errors/configuration.error.js';
export type { KeyfenceErrorCode } from './errors/error-code.js';
export {
  DirectoryNotEmptyException,
  FileExistsException,
  FileNotFoundException,
  FileTooLargeException,
  NotAFileException,
  QuotaExceededException,
  RangeNotSatisfiableException,
  StorageUnavailableException,
} from './errors/file.exceptions.js';
export { KeyConflictException, KeyNotFoundException, KeyStoreUnavailableException } from './errors/key.exceptions.js';
export { InvalidPathException, PathEscapeException, type PathEscapeReason } from './errors/path.exceptions.js';
export { isKeyfenceException, type KeyfenceException } from './errors/refusal.exception.js';

import { Inject, Injectable } from '@nestjs/common';
import { GrantExceededException } from '../errors/authorization.exceptions.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { KeyfenceEvents } from '../events/keyfence-events.service.js';
import type { Principal } from '../principal/principal.js';
import { isTenantId, TENANT_ID_RULE } from '../principal/tenant-id.js';
import { Clock } from '../time/clock.js';
import { DURATION_RULE, parseDuration, type Duration } from '../time/duration.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { ApiKeyStore, ManagedApiKeyStore } from './api-key.store.js';
import { askStore } from './ask-store.js';
import { KeyInvalidation } from './key-invalidation.service.js';
import { reportGrantExceeded, TenantApiKeys } from './tenant-api-keys.js';

/** How many keys one statement removes, so that a large clean-up holds no lock for long. */
const PRUNE_BATCH = 1_000;

/** Makes, changes, replaces and ends keys. Every operation but {@link prune} is bound to a tenant first: {@link forTenant}. */
@Injectable()
export class ApiKeyService {
  constructor(
    private readonly store: ApiKeyStore,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly clock: Clock,
    private readonly invalidation: KeyInvalidation,
    private readonly events: KeyfenceEvents,
  ) {}

  /**
   * The keys of one tenant. Take the tenant from the caller's principal, never from the request's text.
   * @param options.grantedBy whoever asks, if not the system: it then makes, changes and ends only keys that hold no more
   *   than it holds itself
   * @throws GrantExceededException for another tenant than the grantor's
   * @throws KeyfenceConfigurationError for a malformed tenant id, and for a store that cannot manage keys
   */
  forTenant(tenantId: string, options: { readonly grantedBy?: Principal } = {}): TenantApiKeys {
    if (!isTenantId(tenantId)) {
      throw new KeyfenceConfigurationError(
        'ApiKeyService.forTenant(tenantId)',
        'got no tenant id',
        `${TENANT_ID_RULE}.`,
      );
    }
    const unknown = Object.keys(options).find((name) => name !== 'grantedBy');
    if (unknown !== undefined) {
      throw new KeyfenceConfigurationError(
        `ApiKeyService.forTenant(tenantId, { ${unknown} })`,
        'is no option',
        'There is: grantedBy.',
      );
    }
    const { grantedBy } = options;
    if ('grantedBy' in options && grantedBy === undefined) {
      throw new KeyfenceConfigurationError(
        'ApiKeyService.forTenant(tenantId, { grantedBy })',
        'is undefined, as @CurrentPrincipal() is on a public route',
        'Require a key on the route, or leave grantedBy out to act for the system.',
      );
    }
    if (grantedBy !== undefined && grantedBy.tenantId !== tenantId) {
      reportGrantExceeded(this.events, this.clock, grantedBy);
      throw new GrantExceededException('this tenant');
    }
    const { options: keyOptions, clock, invalidation, events } = this;
    return new TenantApiKeys(tenantId, grantedBy, {
      store: this.#managedStore(),
      options: keyOptions,
      clock,
      invalidation,
      events,
    });
  }

  /**
   * Removes the keys of all tenants that have been dead for this long: revoked, expired, or replaced with their grace over.
   * Run it from a job, once a day or so.
   * @param options.deadFor for how long, such as `'90d'`: as long as anybody may want to look such a key up
   * @returns how many were removed
   * @throws KeyfenceConfigurationError for what is no duration
   */
  async prune({ deadFor }: { readonly deadFor: Duration }): Promise<number> {
    const age = parseDuration(deadFor);
    if (age === undefined) {
      throw new KeyfenceConfigurationError('prune({ deadFor })', `is '${deadFor}'`, `Rule: ${DURATION_RULE}.`);
    }
    const store = this.#managedStore();
    const before = new Date(this.clock.now() - age);
    let count = 0;
    for (let removed = PRUNE_BATCH; removed === PRUNE_BATCH; count += removed) {
      removed = await askStore(() => store.prune(before, PRUNE_BATCH));
    }
    this.events.emit(() => ({ type: 'keys_pruned', at: new Date(this.clock.now()), actor: 'system', count }));
    return count;
  }

  #managedStore(): ManagedApiKeyStore {
    if (this.store instanceof ManagedApiKeyStore) return this.store;
    throw new KeyfenceConfigurationError(
      'store',
      'is an ApiKeyStore, which can look keys up and not manage them',
      'Extend ManagedApiKeyStore to issue, list and revoke keys through ApiKeyService.',
    );
  }
}

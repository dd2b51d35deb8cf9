/** The id of a tenant: one portable path component, so that it can name the tenant's directory. */
export type TenantId = string & { readonly __keyfence: 'TenantId' };

/** How a tenant id must look, for messages. */
export const TENANT_ID_RULE =
  'a tenant id is 1 to 128 characters of A-Z, a-z, 0-9, "_", "-" and ".", does not begin or end with ".", and is not a Windows device name';

const TENANT_ID = /^[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$/;

/** Names that Windows gives to devices, with any extension: data directories move between systems. */
const DEVICE_NAME = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/** True if the value can be a {@link TenantId}. */
export function isTenantId(value: unknown): value is TenantId {
  return typeof value === 'string' && TENANT_ID.test(value) && !DEVICE_NAME.test(value);
}

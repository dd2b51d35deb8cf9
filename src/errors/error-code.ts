const ERROR_CODES = [
  // 401
  'missing_credentials',
  'invalid_api_key',
  // 403
  'insufficient_scope',
  'undeclared_route',
  'path_escape',
  'grant_exceeded',
  // 400
  'invalid_path',
  // 404
  'file_not_found',
  'key_not_found',
  // 409
  'key_conflict',
  'file_exists',
  'not_a_file',
  'directory_not_empty',
  // 413
  'file_too_large',
  // 416
  'range_not_satisfiable',
  // 507
  'quota_exceeded',
  // 503
  'key_store_unavailable',
  'storage_unavailable',
] as const;

/**
 * Every refusal carries one of these stable codes, as `errorCode` on the exception and in the response body.
 * Branch on the code, never on the message.
 */
export type KeyfenceErrorCode = (typeof ERROR_CODES)[number];

/** True for a {@link KeyfenceErrorCode}. */
export function isErrorCode(value: unknown): value is KeyfenceErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(value);
}

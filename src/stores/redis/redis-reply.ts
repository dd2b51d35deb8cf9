/** What Redis answered, whatever the client makes of it: texts, buffers or numbers; arrays, maps or objects. */

export function textOf(reply: unknown): string {
  if (typeof reply === 'string') return reply;
  if (Buffer.isBuffer(reply)) return reply.toString('utf8');
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply);
  throw unexpected();
}

/** The fields of a hash; `undefined` for none at all. */
export function fieldsOf(reply: unknown): ReadonlyMap<string, string> | undefined {
  if (reply === null) return undefined;
  const fields = new Map(pairsOf(reply).map(([field, value]) => [textOf(field), textOf(value)]));
  return fields.size === 0 ? undefined : fields;
}

export function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw unexpected();
  return reply;
}

function pairsOf(reply: unknown): (readonly [unknown, unknown])[] {
  if (reply instanceof Map) return [...(reply as Map<unknown, unknown>)];
  if (!Array.isArray(reply)) {
    if (typeof reply !== 'object' || reply === null || Buffer.isBuffer(reply)) throw unexpected();
    return Object.entries(reply);
  }
  if (reply.length % 2 !== 0) throw unexpected();
  const flat: readonly unknown[] = reply;
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index], flat[2 * index + 1]] as const);
}

function unexpected(): Error {
  return new Error('Redis, or the client in between, gave an answer of an unexpected kind.');
}

import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { isStorable } from './postgres-text.js';

/** After which key a page starts. */
export type PagePosition = Pick<ApiKeyRecord, 'createdAt' | 'id'>;

/** The place itself and not only the key's id: the key may be gone when the next page is asked for. */
export function writeCursor({ createdAt, id }: PagePosition): string {
  return `${createdAt.getTime()}.${id}`;
}

/** `undefined` for what is no cursor: the list starts anew. */
export function readCursor(cursor: string): PagePosition | undefined {
  const [, milliseconds = '', id = ''] = /^(-?\d{1,16})\.(.+)$/s.exec(cursor) ?? [];
  const createdAt = new Date(milliseconds === '' ? NaN : Number(milliseconds));
  return Number.isNaN(createdAt.getTime()) || !isStorable(id) ? undefined : { createdAt, id };
}

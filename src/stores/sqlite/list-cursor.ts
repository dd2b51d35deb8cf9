import type { ApiKeyRecord } from '../../api-key/api-key-record.js';

/** A place in a list that is ordered by time and id. It holds also after the key that it names was removed. */
export interface ListPlace {
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly id: string;
}

/** Before every key, also one whose time is no time that a Date can hold: it is to be noticed, and not left out. */
const START: ListPlace = { createdAt: -(2 ** 63), id: '' };

export function cursorAfter({ createdAt, id }: ApiKeyRecord): string {
  return `${createdAt.getTime()}.${id}`;
}

/** A text that is no cursor is the start, as an id that nobody knows would be: a caller may have sent anything. */
export function readCursor(cursor: string | undefined): ListPlace {
  const [, time, id] = /^(-?\d{1,16})\.(.+)$/s.exec(cursor ?? '') ?? [];
  return time === undefined || id === undefined ? START : { createdAt: Number(time), id };
}

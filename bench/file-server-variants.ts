/** What a server of the benchmark answers with. */
export const SERVER_VARIANTS = ['none', 'promises', 'openat2', 'procfs'] as const;
export type ServerVariant = (typeof SERVER_VARIANTS)[number];

/** `start` and `stop` enclose what is measured; `stop` is answered with the CPU microseconds in between. */
export type ServerQuestion = 'start' | 'stop';

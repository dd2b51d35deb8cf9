import type { Platform } from './platform.js';

/** How this version of Nest writes the rest of a path. */
export const WILDCARD: Readonly<Record<Platform, string>> = { express: '*path', fastify: '*' };

export type Platform = 'express' | 'fastify';

/** What is used of Nest's HTTP adapters. */
export interface HttpAdapter {
  getType(): string;
  /** Not for Fastify, where it needs a plugin that costs more than a hook. */
  use(middleware: (request: object, response: unknown, next: (error?: unknown) => void) => void): unknown;
  getInstance(): unknown;
}

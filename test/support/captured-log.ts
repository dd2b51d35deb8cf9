import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';

/** A logger that prints nothing and keeps every line, so that a test can look for what must, or must not, be in the log. */
export class CapturedLog implements LoggerService {
  readonly lines: { readonly level: string; readonly text: string }[] = [];

  readonly log = this.#writerFor('log');
  readonly error = this.#writerFor('error');
  readonly warn = this.#writerFor('warn');
  readonly debug = this.#writerFor('debug');
  readonly verbose = this.#writerFor('verbose');
  readonly fatal = this.#writerFor('fatal');

  /** The lines of a level, or all of them. */
  textOf(level?: string): string {
    return this.lines
      .filter((line) => level === undefined || line.level === level)
      .map((line) => line.text)
      .join('\n');
  }

  #writerFor(level: string): (...parts: unknown[]) => void {
    return (...parts) => {
      this.lines.push({ level, text: parts.map(textOf).join(' ') });
    };
  }
}

function textOf(part: unknown): string {
  if (part instanceof Error) return `${part.message} ${part.stack ?? ''}`;
  return typeof part === 'string' ? part : inspect(part);
}

import { Injectable } from '@nestjs/common';

/** Which handlers ran, so that a test can tell a refusal from an answer that was thrown away. */
@Injectable()
export class Journal {
  readonly entries: string[] = [];

  note(handler: string): void {
    this.entries.push(handler);
  }
}

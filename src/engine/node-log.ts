/** What a node says while it is made: a file of its own, begun anew with the first line, without secrets. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Redact } from '../redact.ts';

export class NodeLog {
  readonly path: string;
  readonly #redact: Redact;
  /** Whether there is anything in it. */
  isWritten = false;

  constructor(path: string, redact: Redact) {
    this.path = path;
    this.#redact = redact;
  }

  write(line: string): void {
    try {
      if (!this.isWritten) {
        mkdirSync(dirname(this.path), { recursive: true });
        writeFileSync(this.path, '');
        this.isWritten = true;
      }
      appendFileSync(this.path, `${this.#redact(line)}\n`);
    } catch {
      // A full disk: what is being built will fail of it, with a better message than its log could.
    }
  }
}

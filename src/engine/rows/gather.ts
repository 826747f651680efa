/**
 * Lines fetched from chunks in the order in which they are wanted, not in which they lie: in one pass over the chunks they are
 * dealt to batches of neighbouring places, in files where there are many; each batch is then sorted by itself.
 */
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Bytes of a batch, about; and of what is held of one before it goes to its file. */
const BATCH = 32 << 20;
const HELD = 1 << 20;

export class Gathered {
  readonly #folder: string;
  readonly #batchRows: number;
  /** By chunk: which row is wanted where. */
  readonly #wanted = new Map<number, [row: number, at: number][]>();
  #count = 0;
  #batches: { held: string[]; size: number; file: string | null }[] = [];
  #current: { lines: string[]; next: number; batch: number } = { lines: [], next: 0, batch: -1 };

  /** `folder` is for files that are needed while this lasts; `lineBytes` the length of a line, on average. */
  constructor(folder: string, lineBytes: number) {
    this.#folder = folder;
    this.#batchRows = Math.max(1000, Math.floor(BATCH / Math.max(1, lineBytes)));
  }

  /** To be called for one place after another. */
  want(chunk: number, row: number): void {
    const rows = this.#wanted.get(chunk);
    if (rows) rows.push([row, this.#count]);
    else this.#wanted.set(chunk, [[row, this.#count]]);
    this.#count++;
  }

  async fetch(lines: (chunk: number) => string[], progress: (done: number, total: number) => void): Promise<void> {
    const n = Math.ceil(this.#count / this.#batchRows);
    this.#batches = Array.from({ length: n }, () => ({ held: [], size: 0, file: null }));
    let done = 0;
    for (const [chunk, rows] of this.#wanted) {
      const all = lines(chunk);
      for (const [row, at] of rows) {
        const batch = this.#batches[Math.floor(at / this.#batchRows)]!;
        const line = `${at % this.#batchRows} ${all[row]!}`;
        batch.held.push(line);
        batch.size += line.length;
        if (n > 1 && batch.size > HELD) this.#spill(batch, Math.floor(at / this.#batchRows));
      }
      if (++done % 64 === 0) {
        progress(done, this.#wanted.size);
        await setImmediate();
      }
    }
    this.#wanted.clear();
  }

  /** The next line wanted. */
  next(): string {
    if (this.#current.next === this.#current.lines.length) {
      const at = this.#current.batch + 1;
      const batch = this.#batches[at]!;
      const spilled = batch.file ? readFileSync(batch.file, 'utf8').split('\n').slice(0, -1) : [];
      const lines: string[] = [];
      for (const part of [spilled, batch.held]) {
        for (const line of part) {
          const space = line.indexOf(' ');
          lines[Number(line.slice(0, space))] = line.slice(space + 1);
        }
      }
      batch.held = [];
      this.#current = { lines, next: 0, batch: at };
    }
    return this.#current.lines[this.#current.next++]!;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spill(batch: { held: string[]; size: number; file: string | null }, index: number): void {
    if (!batch.file) {
      mkdirSync(this.#folder, { recursive: true });
      batch.file = `${this.#folder}/${index}`;
      rmSync(batch.file, { force: true });
    }
    appendFileSync(batch.file, `${batch.held.join('\n')}\n`);
    batch.held = [];
    batch.size = 0;
  }
}

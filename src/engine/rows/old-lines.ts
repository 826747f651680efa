/** Rows of an earlier output by their number, as the lines that they were written as. */
import type { BlobLocation, BlobReader } from '../../../cache/blob.ts';
import { chunkLines } from '../../../cache/dataset.ts';
import type { OldChunk } from './tasks.ts';

export interface OldLine {
  readonly id: string;
  /** Both with their line breaks. */
  readonly line: string;
  readonly lineage: string;
}

const NOTHING = 'null\n';

export class OldLines {
  readonly #reader: BlobReader;
  readonly #streams: readonly (readonly OldChunk[])[];
  /** The chunk read last, by stream: rows are asked for in order. */
  readonly #last: { chunk: OldChunk; lines: string[]; lineage: string[] | null }[] = [];

  constructor(reader: BlobReader, streams: readonly (readonly OldChunk[])[]) {
    this.#reader = reader;
    this.#streams = streams;
  }

  /** Row number `row` of stream `stream`, which must be in one of its chunks. */
  get(stream: number, row: number): OldLine {
    let last = this.#last[stream];
    if (!last || row < last.chunk.start || row >= last.chunk.start + last.chunk.rows) {
      const chunk = this.#streams[stream]!.find(c => c.start <= row && row < c.start + c.rows);
      if (!chunk) throw new Error(`row ${row} of stream ${stream} was not brought along`);
      last = { chunk, lines: this.#lines(chunk.at), lineage: chunk.lineage && this.#lines(chunk.lineage) };
      this.#last[stream] = last;
    }
    const at = row - last.chunk.start;
    const line = `${last.lines[at]!}\n`;
    return { id: idOf(line), line, lineage: last.lineage ? `${last.lineage[at]!}\n` : NOTHING };
  }

  #lines(at: BlobLocation): string[] {
    return chunkLines(this.#reader.read(at));
  }
}

/** The id in a row's line, `["id",…`. */
const idOf = (line: string): string => {
  for (let end = line.indexOf('"', 2); ; end = line.indexOf('"', end + 1)) {
    let slashes = 0;
    while (line[end - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return JSON.parse(line.slice(1, end + 1)) as string;
  }
};

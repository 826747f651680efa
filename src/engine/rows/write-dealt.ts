/** Writes rows to the streams that a rule has dealt them to. */
import type { BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeRow } from '../../../cache/dataset.ts';
import { type Piece, PieceMaker } from './pieces.ts';
import type { DealTask } from './tasks.ts';

const NOTHING = 'null\n';

export const writeDealt = async (
  task: DealTask,
  reader: BlobReader,
  send: (output: string, pieces: readonly Piece[]) => Promise<void>,
): Promise<void> => {
  const makers = task.streams.map(() => new PieceMaker());
  const dropped = task.reason === null ? -1 : task.streams.indexOf('dropped');
  const flush = async (last: boolean) => {
    for (const [i, maker] of makers.entries()) {
      const pieces = maker.take(last);
      if (pieces.length > 0) await send(task.streams[i]!, pieces);
    }
  };
  for (const { at, deal } of task.chunks) {
    for (const [i, line] of chunkLines(reader.read(at)).entries()) {
      const stream = deal[i]!;
      const row = decodeRow(line);
      if (stream === dropped) makers[stream]!.add({ ...row, fields: { reason: task.reason, row: row.fields } }, null);
      else makers[stream]!.addLine(row.id, `${line}\n`, NOTHING);
    }
    await flush(false);
  }
  await flush(true);
};

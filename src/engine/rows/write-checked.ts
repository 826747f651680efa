/** Writes rows as rules have found them: all, or those that keep the rules, and beside them the failing ones with the reasons. */
import type { BlobReader } from '../../../cache/blob.ts';
import { chunkLines, decodeRow } from '../../../cache/dataset.ts';
import type { CheckStage } from '../../../stages/contract.ts';
import type { Redact } from '../../redact.ts';
import { type Piece, PieceMaker } from './pieces.ts';
import type { JudgeTask } from './tasks.ts';

const NOTHING = 'null\n';

export const writeChecked = async (
  { chunks }: JudgeTask,
  stage: CheckStage,
  given: {
    readonly state: unknown;
    readonly options: unknown;
    readonly reader: BlobReader;
    readonly redact: Redact;
    send(output: string, pieces: readonly Piece[]): Promise<void>;
  },
): Promise<void> => {
  const { state, options, reader, redact, send } = given;
  const rules = stage.rules(options);
  const keeps = stage.keeps(options);
  const rows = new PieceMaker();
  const failing = new PieceMaker();
  /** Why a row is failing: what `marks` says of rules that compare rows, the stage says of all others. */
  const reasons = (line: string, mark: number): string => {
    let compared = 0;
    const why: string[] = [];
    for (const [i, finding] of stage.look(decodeRow(line), state, options).entries()) {
      if (rules[i]!.compares) compared++;
      if (!rules[i]!.marks) continue;
      if (typeof finding === 'string') why.push(finding);
      else if (typeof finding === 'object' && finding && (mark & (1 << compared)) !== 0) why.push(finding.again);
    }
    return why.join('; ');
  };
  const flush = async (last: boolean): Promise<void> => {
    for (const [output, maker] of [
      ['rows', rows],
      ['failing', failing],
    ] as const) {
      const pieces = maker.take(last);
      if (pieces.length > 0) await send(output, pieces);
    }
  };
  for (const { at, marks } of chunks) {
    for (const [i, line] of chunkLines(reader.read(at)).entries()) {
      const isFailing = (marks[i]! & 1) !== 0;
      const row = decodeRow(line);
      if (!isFailing || keeps) rows.addLine(row.id, `${line}\n`, NOTHING);
      if (isFailing)
        failing.add({ ...row, fields: { reason: redact(reasons(line, marks[i]!)), row: row.fields } }, null);
    }
    await flush(false);
  }
  await flush(true);
};

/** Runs one row or group stage on rows held in memory, as the engine's worker would: for unit tests of stages. */
import { forgetful } from '../../src/engine/outside.ts';
import { emitter } from '../../src/engine/rows/emitter.ts';
import type {
  Fields,
  GroupStage,
  Input,
  InputFile,
  Outside,
  Row,
  RowsInput,
  RowsStage,
} from '../../stages/contract.ts';

export const row = (id: string, fields: Fields, parent: string | null = null): Row => ({ id, parent, fields });

/** Rows in memory as an input that others are held against. */
export const rowsInput = (rows: readonly Row[]): RowsInput => ({
  type: 'rows',
  count: rows.length,
  async *[Symbol.asyncIterator]() {
    yield* rows;
  },
});

export const runStage = async <O, S>(
  stage: RowsStage<O, S> | GroupStage<O, S>,
  rows: readonly Row[],
  options: O,
  inputs: Readonly<Record<string, Input>> = {},
  outside: Outside = forgetful,
  files: Readonly<Record<string, readonly InputFile[]>> = {},
) => {
  const state = (await stage.setup?.({ options, files, inputs }, outside)) as S;
  const { emit, out, next } = emitter();
  if (stage.kind === 'rows') {
    for (const r of rows) {
      next();
      await stage.map(r, emit, state, options);
    }
  } else {
    for (let i = 0; i < rows.length; ) {
      const first = rows[i]!;
      let j = i + 1;
      if (first.parent !== null) while (j < rows.length && rows[j]!.parent === first.parent) j++;
      next();
      await stage.map(rows.slice(i, j), emit, state, options);
      i = j;
    }
  }
  return {
    rows: out.rows.map(r => r.row),
    lineage: out.rows.map(r => r.at),
    rejects: out.rejects,
    dropped: out.dropped,
  };
};

/** Runs a `read` stage in memory on real files, each whole or in parts: what came out, with ids as the engine gives them. */
import { canonical, digest } from '../../cache/digest.ts';
import type { Fields, InputFile, Lineage, Read, ReadPart, ReadStage, Row } from '../../stages/contract.ts';

export interface ReadResult {
  readonly rows: Row[];
  readonly lineage: Lineage[];
  readonly rejects: Row[];
}

/** Everything that the stage gives for a part. */
export const readPart = async <O>(stage: ReadStage<O>, part: ReadPart, options: O): Promise<Read[]> => {
  const all: Read[] = [];
  for await (const batch of stage.read(part, options)) all.push(...batch);
  return all;
};

export const runRead = async <O>(stage: ReadStage<O>, options: O, files: readonly InputFile[]): Promise<ReadResult> => {
  stage.check?.(files, options);
  const ran: ReadResult = { rows: [], lineage: [], rejects: [] };
  const seen = new Map<string, number>();
  const contentId = (fields: Fields): string => {
    const id = digest(canonical(fields)).slice(0, 20);
    const n = (seen.get(id) ?? 0) + 1;
    seen.set(id, n);
    return n === 1 ? id : `${id}~${n}`;
  };
  const key = stage.key?.(options);
  for (const file of files) {
    for (const read of await readPart(stage, { file, start: 0, end: file.size }, options)) {
      if (read === null) continue;
      const place = { path: file.name, ...(read.line === undefined ? {} : { line: read.line }) };
      if ('reason' in read) {
        const { reason, text } = read;
        const id = read.line === undefined ? file.name : `${file.name}:${read.line}`;
        const fields = { reason, ...place, ...(text === undefined ? {} : { text }) };
        ran.rejects.push({ id, parent: null, fields });
        continue;
      }
      const id = read.id ?? (key === undefined ? contentId(read.fields) : String(read.fields[key]));
      if (stage.givesIds(file, options) !== (read.id !== undefined)) throw new Error(`givesIds is wrong for ${id}`);
      ran.rows.push({ id, parent: null, fields: read.fields });
      ran.lineage.push(place);
    }
  }
  return ran;
};

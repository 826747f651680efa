/** Source `hub`: a data set of the Hugging Face Hub at one commit, or a local copy of one. */
import type { HubOptions } from '../../schemas/types.ts';
import { StageError, type WholeContext, type WholeStage } from '../contract.ts';
import { cardConfigs } from '../hub/card.ts';
import { type DataFile, localCopy, type Source } from '../hub/copy.ts';
import { chooseFiles } from '../hub/layout.ts';
import { remote } from '../hub/remote.ts';
import { isRecords, kindOf, type RecordFormat } from './readers/format.ts';
import { readRecords } from './readers/read-records.ts';
import { recordNames } from './readers/record-names.ts';

export type Options = HubOptions;

type Context = WholeContext<Options>;

const run = async (context: Context): Promise<void> => {
  const { options } = context;
  const source = options.hub === undefined ? localCopy(context) : await remote(context, options.hub);
  const card = await cardConfigs((await source.card()) ?? '');
  const { config, split, files } = options;
  const wish = { config, split, files: files === undefined ? undefined : [files].flat() };
  const chosen = chooseFiles(source.paths, card, wish, source.name);
  await write(context, source, chosen);
};

/** Files come as they are needed: of a limited number of rows perhaps not all. */
const write = async (context: Context, source: Source, paths: readonly string[]): Promise<void> => {
  const { options } = context;
  const { limit = Number.POSITIVE_INFINITY } = options;
  const [rows, rejects] = [context.rows('rows'), context.rows('rejects')];
  const name = recordNames({ key: options.key, contentId: context.contentId });
  let written = 0;
  for await (const file of source.bring(paths, Number.isFinite(limit))) {
    for await (const batch of readRecords(
      { file: file.input, start: 0, end: file.input.size },
      recordsOf(file, options),
    )) {
      for (const item of batch) {
        if (item === null) continue;
        const place = { path: file.path, ...(item.line === undefined ? {} : { line: item.line }) };
        const row = 'reason' in item ? item : name(item.fields, place);
        if ('id' in row) {
          await rows.write(row, place);
          if (++written === limit) return;
          continue;
        }
        const id = item.line === undefined ? file.path : `${file.path}:${item.line}`;
        const text = 'text' in item && item.text !== undefined ? { text: item.text } : {};
        await rejects.write({ id, parent: null, fields: { reason: row.reason, ...place, ...text } }, place);
      }
      context.progress(written, Number.isFinite(limit) ? limit : null, 'rows');
    }
  }
  if (written === 0) throw new StageError('empty-source', `no row is in ${paths.join(', ')} of ${source.name}`);
};

const recordsOf = ({ path }: DataFile, { delimiter, columns }: Options) => {
  const { format } = kindOf(path);
  // Others are not chosen.
  if (format === null || !isRecords(format)) throw new Error(`${path} holds no records`);
  return { format: format as RecordFormat, delimiter, columns };
};

export default { kind: 'whole', run } satisfies WholeStage<Options>;

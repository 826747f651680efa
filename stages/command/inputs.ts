/** What other nodes made, as folders that a command can read, and their names in its environment. */
import { closeSync, constants, cpSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Input, RowsInput, TreeInput } from '../contract.ts';
import { SMALL } from '../surroundings.ts';
import type { Desk } from './desk.ts';

/**
 * `IN_<name>` for each input, and `IN` where there is only one. Rows are a folder with `rows.jsonl`, metrics one with
 * `metrics.json`, a tree a copy of it; a model is read where it lies: it is too large to copy, and looked at again after the run.
 */
export const placeInputs = async (
  desk: Desk,
  inputs: Readonly<Record<string, Input>>,
  ids: boolean,
): Promise<Record<string, string>> => {
  const env: Record<string, string> = {};
  for (const [name, input] of Object.entries(inputs)) {
    const folder = input.type === 'model' ? input.folder : join(desk.in, name);
    if (input.type === 'tree') {
      placeTree(desk, input, folder);
    } else if (input.type === 'rows') {
      desk.folder(folder);
      await writeRows(input, join(folder, 'rows.jsonl'), ids);
    } else if (input.type === 'metrics') {
      desk.folder(folder);
      writeFileSync(join(folder, 'metrics.json'), `${JSON.stringify(input.value)}\n`);
    }
    env[variable(name)] = folder;
  }
  const folders = Object.values(env);
  return folders.length === 1 ? { ...env, IN: folders[0]! } : env;
};

const placeTree = (desk: Desk, tree: TreeInput, folder: string): void => {
  desk.folder(folder);
  if (!tree.files) {
    cpSync(tree.folder, folder, { recursive: true, mode: constants.COPYFILE_FICLONE });
    return;
  }
  for (const file of tree.files()) {
    const path = join(folder, file.name);
    desk.folder(dirname(path));
    if (file.size > SMALL) file.copyTo(path);
    else desk.place(path, file.content(), 0o644);
  }
};

/** `held-out` -> `IN_held_out` */
export const variable = (input: string): string => `IN_${input.replaceAll('-', '_')}`;

const BATCH = 1 << 20;

const writeRows = async (input: RowsInput, path: string, ids: boolean): Promise<void> => {
  const fd = openSync(path, 'w');
  try {
    let lines = '';
    for await (const row of input) {
      const { id, parent, fields } = row;
      lines += `${JSON.stringify(ids ? { id, parent, fields } : fields)}\n`;
      if (lines.length < BATCH) continue;
      writeFileSync(fd, lines);
      lines = '';
    }
    writeFileSync(fd, lines);
  } finally {
    closeSync(fd);
  }
};

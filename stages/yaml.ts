/** Reads YAML (or JSON) that a recipe names; the only module of the stages that imports `yaml`. */
import { readFile } from 'node:fs/promises';
import type { InputFile, StageError } from './contract.ts';

/** `bad` makes the error: `line` counts from 1 where the place is known. */
export const readYaml = async (
  file: InputFile,
  bad: (message: string, line?: number) => StageError,
): Promise<unknown> => {
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(await readFile(file.path, 'utf8'), { lineCounter: lines, prettyErrors: false });
  const problem = document.errors[0];
  if (problem) throw bad(problem.message, lines.linePos(problem.pos[0]).line);
  try {
    return document.toJS();
  } catch (error) {
    throw bad((error as Error).message);
  }
};

/** What a text says; undefined where it is no YAML. */
export const parseYaml = async (text: string): Promise<unknown> => {
  const { parse } = await import('yaml');
  try {
    return parse(text, { logLevel: 'silent' }) as unknown;
  } catch {
    return undefined;
  }
};

/** Reads a glossary: from the recipe, or from a file in YAML, JSON or CSV. */
import { type InputFile, StageError } from '../../contract.ts';
import { readRecords } from '../../sources/readers/read-records.ts';
import { readYaml } from '../../yaml.ts';
import type { Glossary } from './replacer.ts';

const ADVICE =
  'A glossary is a map of terms to their variants, {fine-tuning: [finetuning, fine tuning]}; or a CSV file with a header, whose first column is the term and the others its variants, several in a cell parted by |.';

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const bad = (path: string, message: string, line?: number): StageError =>
  new StageError('bad-glossary', message, {
    advice: ADVICE,
    place: { path, ...(line === undefined ? {} : { line }) },
  });

/** A term without variants unifies its capitals and spaces. */
export const entry = (term: string, variants: unknown, fail: (message: string) => StageError): Glossary => {
  const all = variants === null || variants === undefined ? [] : [variants].flat();
  if (term.trim() === '') throw fail('a term is empty');
  for (const variant of all)
    if (typeof variant !== 'string' || variant.trim() === '') throw fail(`a variant of "${term}" is no text`);
  return { term, variants: all as string[] };
};

const fromCsv = async (file: InputFile): Promise<Glossary[]> => {
  const out: Glossary[] = [];
  for await (const reads of readRecords({ file, start: 0, end: file.size }, { format: 'csv', delimiter: 'auto' })) {
    for (const read of reads) {
      if (!read) continue;
      if (!('fields' in read)) throw bad(file.name, read.reason, read.line);
      const [term = '', ...cells] = Object.values(read.fields) as string[];
      const variants = cells.flatMap(cell => cell.split('|')).filter(cell => cell.trim() !== '');
      out.push(entry(term, variants, message => bad(file.name, message, read.line)));
    }
  }
  return out;
};

const fromYaml = async (file: InputFile): Promise<Glossary[]> => {
  const fail = (message: string, line?: number) => bad(file.name, message, line);
  const value = await readYaml(file, fail);
  if (isMap(value)) return Object.entries(value).map(([term, variants]) => entry(term, variants, fail));
  if (!Array.isArray(value)) throw fail('the file should hold a map of terms');
  return value.map((item: unknown, i) => {
    if (!isMap(item) || typeof item.term !== 'string') throw fail(`entry ${i + 1} should be {term, variants}`);
    return entry(item.term, item.variants, fail);
  });
};

/** The glossary in a file, in its order. Error: `bad-glossary`, with the file and, where it is known, the line. */
export const readGlossary = (file: InputFile): Promise<Glossary[]> =>
  /\.[ct]sv$/i.test(file.name) ? fromCsv(file) : fromYaml(file);

/** Random projects, and random edits of all that a build looks at: records, pages, options, code, names of files. */
import type { Project } from './project.ts';
import type { Random } from './random.ts';
import { drawFrom, drawNodes, drawOptions, type RandomNode, type RandomSources, recipeOf } from './recipes.ts';

export interface State {
  /** Lines of JSON or CSV, by file. */
  readonly records: Readonly<Record<string, readonly string[]>>;
  readonly pages: Readonly<Record<string, string>>;
  readonly nodes: readonly RandomNode[];
  readonly sources: RandomSources;
  /** Of the counted stages' code. */
  readonly version: number;
  /** Whether some rows get no answer. */
  readonly down: boolean;
  readonly cosmetics: number;
  /** Only a few records or sentences are edited at a time: what a build can take over is most. */
  readonly narrow: boolean;
}

export interface Size {
  readonly records: number;
  readonly pages: number;
  readonly nodes: number;
}

/** What an edit did, in words; how many records came or were changed; `wide` if it asks for more to be computed than these. */
export interface Edit {
  readonly words: string;
  readonly state: State;
  readonly fresh: number;
  readonly wide: boolean;
}

const NOUNS = ['pump', 'valve', 'pipe', 'house', 'river', 'winter garden'];

const sentence = (r: Random): string =>
  `The ${r.pick(NOUNS)} ${r.below(40)} of *${r.pick(NOUNS)}* stops after ${r.below(9)} hours${r.below(4) === 0 ? ' of hard work in the rain' : ''}.`;

const record = (r: Random, id = `r${r.below(2 ** 30)}`): string => {
  const kind = r.below(30);
  if (kind === 0) return '';
  if (kind === 1) return '{"text": broken';
  if (kind === 2) return '{"other":1,"text":"A row with another field.","id":"other"}';
  return JSON.stringify({ id, text: sentence(r) });
};

const cell = (r: Random): string =>
  `c${r.below(2 ** 30)},${r.below(9) === 0 ? `"${sentence(r)}\nOn two lines."` : sentence(r)}`;

const page = (r: Random): string =>
  Array.from({ length: r.below(3) + 1 }, (_, i) => {
    const sentences = Array.from({ length: r.below(8) + 1 }, () => sentence(r)).join(' ');
    return `${i > 0 || r.below(2) === 0 ? `## Part ${r.below(5)} ${i}\n\n` : ''}${sentences}`;
  }).join('\n\n');

/** The id of a record, so that another text may come under it. */
const idIn = (line: string | undefined): string | undefined => /"id":"(\w+)"/.exec(line ?? '')?.[1];

const CSV = 'data/table.csv';

export const begin = (r: Random, size: Size): State => {
  const many = (n: number) => r.below(n) + (n >> 1);
  const split = r.below(4) === 0;
  return {
    records: {
      'data/a.jsonl': Array.from({ length: many(size.records) }, () => record(r)),
      ...(split ? { 'data/b.jsonl': Array.from({ length: many(size.records >> 1) }, () => record(r)) } : {}),
      ...(r.below(5) === 0 ? { [CSV]: Array.from({ length: 1 + r.below(8) }, () => cell(r)) } : {}),
    },
    pages: Object.fromEntries(Array.from({ length: many(size.pages) + 1 }, (_, i) => [`docs/${i}.md`, page(r)])),
    nodes: drawNodes(r, size.nodes),
    sources: { by: r.pick(['file', 'section']), key: r.below(4) === 0 },
    version: 1,
    down: r.below(8) === 0,
    cosmetics: 0,
    narrow: r.below(3) === 0,
  };
};

/** One edit; `earlier` are states to go back to. */
export const edit = (s: State, r: Random, earlier: readonly State[]): Edit => {
  const file = r.pick(Object.keys(s.records));
  const lines = s.records[file]!;
  const make = () => (file === CSV ? cell(r) : record(r));
  const at = r.below(lines.length + 1);
  const set = (words: string, all: readonly string[], fresh: number, wide = false): Edit => {
    const records = { ...s.records, [file]: all };
    return { words: `${file}: ${words}`, state: { ...s, records }, fresh, wide: wide || file === CSV };
  };
  const named = r.pick(Object.keys(s.pages));
  const pages = (words: string, all: Readonly<Record<string, string>>): Edit => {
    return { words: `${named}: ${words}`, state: { ...s, pages: all }, fresh: 0, wide: false };
  };
  const other = (words: string, change: Partial<State>, wide = true): Edit => {
    return { words, state: { ...s, ...change }, fresh: 0, wide };
  };
  switch (s.narrow ? r.pick([0, 2, 4, 5, 18, 19, 20, 20]) : r.below(27)) {
    case 0:
    case 1: {
      const more = Array.from({ length: r.below(3) + 1 }, make);
      return set(`${more.length} more at ${at}`, lines.toSpliced(at, 0, ...more), more.length);
    }
    case 2:
    case 3:
      return set(`less from ${at}`, lines.toSpliced(at, r.below(4) + 1), 0);
    case 4:
    case 5:
    case 6:
      return set(`update ${at}`, lines.toSpliced(at, 1, file === CSV ? cell(r) : record(r, idIn(lines[at]))), 1);
    case 7:
    case 8: {
      const again = lines.length === 0 ? make() : r.pick(lines);
      return set(`a line again at ${at}`, lines.toSpliced(at, 0, again), 1, true);
    }
    case 9: {
      const moved = lines.slice(at, at + 1 + r.below(3));
      const rest = lines.toSpliced(at, moved.length);
      return set(`move ${at}`, rest.toSpliced(r.below(rest.length + 1), 0, ...moved), 0, true);
    }
    case 10:
      return set('reorder', r.shuffle(lines), 0, true);
    case 11: {
      const { [file]: all, ...rest } = s.records;
      const name = file.replace(/\w+(?=\.\w+$)/, () => r.pick(['a', 'b', 'c', 'table']));
      return other(`${file} -> ${name}`, { records: { ...rest, [name]: all! } });
    }
    case 12: {
      // From one file to another, or to one that was not there.
      const to = r.pick(['data/a.jsonl', 'data/b.jsonl']);
      if (file === CSV || to === file) return set('nothing', lines, 0);
      const moved = lines.slice(at);
      const records = { ...s.records, [file]: lines.slice(0, at), [to]: [...(s.records[to] ?? []), ...moved] };
      return other(`${file} from ${at}: to ${to}`, { records });
    }
    case 13:
    case 14:
    case 15: {
      const chosen = r.pick(s.nodes);
      const fresh = { ...chosen, with: drawOptions(chosen.uses, r) };
      const nodes = s.nodes.map(n => (n === chosen ? fresh : n));
      return other(`${chosen.name}: ${chosen.uses} ${JSON.stringify(fresh.with)}`, { nodes });
    }
    case 16: {
      const chosen = r.pick(s.nodes);
      const from = drawFrom(chosen, s.nodes, r);
      return other(`${chosen.name} from ${from}`, { nodes: s.nodes.map(n => (n === chosen ? { ...n, from } : n)) });
    }
    case 17:
      return pages('anew', { ...s.pages, [named]: page(r) });
    case 18:
      return pages('more', { ...s.pages, [named]: `${s.pages[named]!} ${sentence(r)}` });
    case 19:
      return pages('more before', { ...s.pages, [named]: `${sentence(r)} ${s.pages[named]!}` });
    case 20: {
      const less = s.pages[named]!.replace(new RegExp(`^(?:[^.]*\\.\\s*){1,${1 + r.below(3)}}`), '');
      return pages('less before', { ...s.pages, [named]: less });
    }
    case 21: {
      const { [named]: text, ...rest } = s.pages;
      return pages('renamed', { ...rest, [`docs/${100 + r.below(100)}.md`]: text! });
    }
    case 22:
      return other(`some rows get ${s.down ? 'their' : 'no'} answer`, { down: !s.down });
    case 23:
      return other('code', { version: 1 + r.below(2) });
    case 24:
      return other('cosmetics', { cosmetics: r.below(4) }, false);
    default:
      return other('revert', r.pick(earlier));
  }
};

/** Makes the project what the state says. */
export const put = (p: Project, s: State): void => {
  const csv = (lines: readonly string[]) => `id,text\n${lines.join('\n')}\n`;
  const files = {
    'finetune.yaml': recipeOf(s.nodes, s.sources, s.cosmetics),
    ...Object.fromEntries(
      Object.entries(s.records).map(([name, lines]) => [name, name === CSV ? csv(lines) : lines.join('\n')]),
    ),
    ...s.pages,
  };
  const gone = [...p.files('data'), ...p.files('docs')].filter(name => !(name in files));
  p.write({ ...files, ...Object.fromEntries(gone.map(name => [name, null])) });
};

/** What stands for the counted stages, and the code of both. */
export const countedNodes = (version: number) => {
  const at = (name: string) => new URL(`./counted/${name}.ts`, import.meta.url).href;
  return {
    score: { module: `${at('cut')}?version=${version}`, version },
    'sentence-pairs': { module: at('join'), version: 1 },
  } as const;
};

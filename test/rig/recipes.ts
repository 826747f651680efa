/**
 * Random recipes over every kind of row stage: records are read, cleaned and cut (`counted/cut.ts`), pages are cut into sentences,
 * and a few more stages take what any of those gave.
 */
import type { Random } from './random.ts';

export interface RandomNode {
  readonly name: string;
  readonly uses: string;
  readonly from: string | readonly string[] | { readonly rows: string; readonly against: readonly string[] };
  readonly with: Readonly<Record<string, unknown>>;
}

type Options = (r: Random) => RandomNode['with'];

/** Options anew, by what is used; drawn again when an edit changes them. */
const OPTIONS: Readonly<Record<string, Options>> = {
  'plain-text': r => ({ headings: r.pick(['keep', 'drop', 'text']) }),
  filter: r => ({ min: 5 + r.below(30) }),
  // Stands for `counted/cut.ts`.
  score: r => ({ measure: r.pick(['characters', 'words']), as: r.pick(['.', '!', ' (sic)']), mostly: 0 }),
  dedup: r => ({ by: r.pick(['text', ['text', 'other']]), normalize: r.pick(['none', 'letters']) }),
  'near-dedup': r => ({ threshold: r.pick([0.5, 0.7, 0.9]), keep: r.pick(['first', 'longest']) }),
  split: r => ({
    train: 0.6,
    eval: r.pick([0.4, 0.5]),
    seed: r.below(3),
    by: r.pick(['row', 'parent', 'component', { field: 'text' }]),
  }),
  sentences: () => ({}),
  // Stands for `counted/join.ts`.
  'sentence-pairs': r => ({ overlap: r.pick([true, false]), over: r.pick(['drop', 'cut']) }),
  shuffle: r => ({ seed: r.below(3) }),
  sample: r =>
    r.below(2) === 0 ? { share: r.pick([0.3, 0.5]), seed: 1 } : { rows: 5 + r.below(10), seed: r.below(3) },
  mix: r => ({ ...(r.below(2) === 0 ? { rows: 10 + r.below(60) } : {}), seed: r.below(3) }),
  stats: r => (r.below(2) === 0 ? {} : { field: 'text' }),
  check: r => ({
    rules: [
      { unique: 'text', normalize: r.pick(['none', 'letters']), severity: 'warn' },
      { field: 'text', characters: { max: 30 + r.below(40) }, severity: 'warn' },
      { field: 'text', matches: r.pick(['pump', 'river']), share: { min: 0 } },
    ],
    failing: r.pick(['keep', 'keep', 'drop']),
  }),
  decontaminate: r => ({ words: 7 + r.below(4), field: 'text', against: 'text', shortest: 1, mostly: 0 }),
};

export const drawOptions = (uses: string, r: Random): RandomNode['with'] => OPTIONS[uses]!(r);

/** Text rows of a node, by how others refer to them. */
const refsOf = ({ name, uses }: RandomNode): string[] =>
  uses === 'stats' ? [] : uses === 'split' ? [`${name}.train`, `${name}.eval`] : [name];

/** Those whose rules are the hardest come most often. */
const MORE = [
  ...Object.keys(OPTIONS).filter(uses => uses !== 'score' && uses !== 'sentences'),
  ...['near-dedup', 'mix'],
];

/** What a node may take of those before it; what came last most often: that makes chains. */
const drawRef = (r: Random, before: readonly RandomNode[]): string => {
  const refs = ['pages', ...before.flatMap(refsOf)];
  return r.pick([...refs, ...refs.slice(-3), ...refs.slice(-2)]);
};

/** Another input for a node among `all`, or its inputs in another order. */
export const drawFrom = ({ name, from }: RandomNode, all: readonly RandomNode[], r: Random): RandomNode['from'] => {
  const before = all.slice(
    0,
    all.findIndex(n => n.name === name),
  );
  if (typeof from === 'string') return before.length < 3 ? from : drawRef(r, before);
  if ('rows' in from)
    return r.below(2) === 0 ? { ...from, rows: drawRef(r, before) } : { ...from, against: drawInputs(r, before) };
  return from.length > 1 && r.below(2) === 0 ? from.toReversed() : drawInputs(r, before);
};

/** Ids are prefixed by the nodes' names, so no node comes twice. */
const drawInputs = (r: Random, before: readonly RandomNode[]): string[] => {
  const [a, b] = [drawRef(r, before), drawRef(r, before)];
  return a.split('.')[0] === b.split('.')[0] ? [a] : [a, b];
};

const drawSources = (uses: string, r: Random, before: readonly RandomNode[]): RandomNode['from'] => {
  if (uses === 'mix') return drawInputs(r, before);
  return uses === 'decontaminate' ? { rows: drawRef(r, before), against: drawInputs(r, before) } : drawRef(r, before);
};

/** Records through the counted stage, and `more` nodes on whatever there is by then. */
export const drawNodes = (r: Random, more: number): RandomNode[] => {
  const draw = (name: string, uses: string, from: RandomNode['from']): RandomNode => ({
    name,
    uses,
    from,
    with: drawOptions(uses, r),
  });
  const nodes = [
    draw('text', 'plain-text', 'records'),
    draw('cut', 'score', 'text'),
    draw('lines', 'sentences', 'pages'),
  ];
  for (let i = 0; i < more; i++) {
    const uses = r.pick(MORE);
    // Of all rules that of groups looks at most of what lies around a row.
    if (i === 0 && r.below(3) > 0) nodes.push(draw('joined', 'sentence-pairs', r.pick(['lines', 'lines', 'cut'])));
    else nodes.push(draw(`n${i}`, uses, drawSources(uses, r, nodes)));
  }
  return nodes;
};

export interface RandomSources {
  readonly by: 'file' | 'section';
  /** Whether records are named by their field `id`. */
  readonly key: boolean;
}

/** As YAML; with `cosmetics`, otherwise written, but the same. */
export const recipeOf = (nodes: readonly RandomNode[], { by, key }: RandomSources, cosmetics = 0): string => {
  const entries = nodes.map(n => {
    const options = Object.entries(n.with);
    const ordered = cosmetics % 2 === 0 ? options : options.reverse();
    return `  ${n.name}: { uses: ${n.uses}, from: ${JSON.stringify(n.from)}, with: ${JSON.stringify(Object.fromEntries(ordered))} }`;
  });
  const sources = [
    `  records: { uses: files, with: { paths: "data/*.*", mostly: 0${key ? ', key: id' : ''} } }`,
    `  pages: { uses: files, with: { paths: "docs/*.md", by: ${by} } }`,
  ];
  if (cosmetics > 1) {
    entries.reverse();
    sources.reverse();
  }
  return `version: 1${cosmetics > 0 ? ' # edited' : ''}\nsources:\n${sources.join('\n')}\ntransforms:\n${entries.join('\n')}\n`;
};

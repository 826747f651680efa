/** The README's table of stages, made of the stages' schemas and of where the guide speaks of them. */
import { readFileSync } from 'node:fs';
import { SECTIONS, type Section, stageNames, stageSchema } from '../src/stages.ts';

const BEGIN = '<!-- stages: made by `npm run schemas` -->';
const END = '<!-- /stages -->';

/** Pages of the guide that speak of a section's stages. */
const PAGES: Readonly<Record<Section, readonly string[]>> = {
  sources: ['data-stages.md', 'your-own-stage.md'],
  transforms: ['data-stages.md', 'your-own-stage.md'],
  templates: ['chat-templates.md'],
  trainer: ['training.md'],
  evaluators: ['evaluating.md'],
};

/** Sentences longer than this are cut at their colon. */
const LONG = 110;

/** What stands before the first full stop, or before the colon of a long sentence. */
export const firstSentence = (description: string): string => {
  const [sentence] = description.split(/\.(?=\s+[\p{Lu}\p{N}`"]|\s*$)/u) as [string];
  const colon = sentence.indexOf(': ');
  return sentence.length > LONG && colon !== -1 ? sentence.slice(0, colon) : sentence;
};

interface Heading {
  readonly slug: string;
  readonly title: string;
  readonly text: string;
}

const headings = (page: string): Heading[] =>
  page
    .split(/^(?=## )/m)
    .slice(1)
    .map(text => {
      const title = text.slice(3, text.indexOf('\n')).trim();
      const slug = title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-');
      return { slug, title, text };
    });

const count = (text: string, part: string): number => text.split(part).length - 1;

/** Characters of a part's beginning: what it is about is said there. */
const BEGINNING = 300;

/** How much a part of the guide is about a stage: it bears its name, begins with it, uses it in a recipe, or mentions it. */
const weight = ({ slug, text }: Heading, name: string): number =>
  (slug === name || slug === `${name}s` ? 100 : 0) +
  (text.slice(0, BEGINNING).includes(`\`${name}\``) ? 10 : 0) +
  3 * (text.match(new RegExp(`uses: ${name}\\b(?!-)`, 'g'))?.length ?? 0) +
  count(text, `\`${name}\``);

/** Path and anchor of the part of the guide that is most about a stage; the page alone where none speaks of it. */
const linkOf = (name: string, section: Section, read: (page: string) => string): string => {
  let best = { weight: 0, link: `docs/${PAGES[section][0]}` };
  // A page about one stage is about it from top to bottom.
  if (stageNames(section).length === 1) return best.link;
  for (const page of PAGES[section]) {
    for (const heading of headings(read(page))) {
      const found = weight(heading, name);
      if (found > best.weight) best = { weight: found, link: `docs/${page}#${heading.slug}` };
    }
  }
  return best.link;
};

const cell = (text: string): string => text.replaceAll('|', '\\|');

const table = (read: (page: string) => string): string => {
  const rows = SECTIONS.flatMap(section =>
    stageNames(section).map((name, i) => {
      const { description } = stageSchema(section, name);
      return `| ${i === 0 ? section : ''} | [\`${name}\`](${linkOf(name, section, read)}) | ${cell(firstSentence(description))} |`;
    }),
  );
  return ['| section | stage | |', '|---|---|---|', ...rows].join('\n');
};

/** The README with its table brought up to date. */
export const readme = (): string => {
  const root = new URL('../', import.meta.url);
  const text = readFileSync(new URL('README.md', root), 'utf8');
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`README.md has no table between ${BEGIN} and ${END}`);
  const pages = new Map<string, string>();
  const read = (page: string): string => {
    const known = pages.get(page) ?? readFileSync(new URL(`docs/${page}`, root), 'utf8');
    pages.set(page, known);
    return known;
  };
  return `${before}${BEGIN}\n${table(read)}\n${END}${after}`;
};

/** A small project with a stage of every kind, in two states: what a build goes on from, and what it is to make of it. */
import type { Files } from './project.ts';

const recipe = (min: number) => `version: 1
sources:
  records: { uses: files, with: { paths: "data/*.jsonl", mostly: 0.5 } }
  pages:   { uses: files, with: { paths: "docs/*.md" } }
transforms:
  text:    { uses: plain-text, from: records }
  good:    { uses: filter, from: text, with: { min: ${min} } }
  unique:  { uses: dedup, from: good }
  near:    { uses: near-dedup, from: unique, with: { threshold: 0.6 } }
  split:   { uses: split, from: near, with: { train: 0.6, eval: 0.4, by: row } }
  lines:   { uses: sentences, from: pages }
  pairs:   { uses: sentence-pairs, from: lines, with: { instruction: { min: 5 }, response: { min: 5 } } }
  mixed:   { uses: mix, from: [near, lines], with: { rows: 40 } }
  sum:     { uses: stats, from: mixed }
  checked: { uses: check, from: mixed, with: { rules: [{ unique: text, severity: warn }, { field: text, characters: { max: 60 }, severity: warn }] } }
  clean:   { uses: decontaminate, from: { rows: unique, against: lines }, with: { words: 9 } }
`;

export const EVERY_NODE = recipe(0)
  .split('\n')
  .flatMap(line => /^ {2}(\w+):/.exec(line)?.[1] ?? []);

const WORDS = ['pump', 'valve', 'pipe', 'house', 'river', 'garden', 'tower', 'winter', 'engine', 'wheel'];
const sentence = (i: number) =>
  `The ${WORDS[i % 10]} and the ${WORDS[(i * 7 + (i >> 3)) % 10]} of number ${i} stop after ${(i * 13) % 29} hours.`;

/** Some are nearly what another one is. */
const text = (i: number) => (i % 4 === 3 ? `${sentence(i - 1)} Again.` : sentence(i));

const data = (changed: boolean) =>
  Array.from({ length: 40 }, (_, i) =>
    i === 7 ? 'no JSON' : JSON.stringify({ text: text(changed && i % 9 === 4 ? i + 100 : i % 33) }),
  ).join('\n');

const page = (i: number) => `# Page ${i}\n\n${Array.from({ length: 6 }, (_, k) => sentence(i * 6 + k)).join(' ')}\n`;

export const EARLIER: Files = {
  'finetune.yaml': recipe(20),
  'data/a.jsonl': data(false),
  ...Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`docs/${i}.md`, page(i)])),
};

export const LATER: Files = {
  'finetune.yaml': recipe(30),
  'data/a.jsonl': data(true),
  'docs/1.md': page(9),
};

/**
 * The output digest of every built-in stage on fixed input, beside its version. When a stage's output changes and its
 * version does not, users' caches would go on serving the old code's results: raise the version, then UPDATE_GOLDEN=1.
 * Trainer and evaluators are not here: their numbers depend on the machine's arithmetic; their tests have tolerances.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SECTIONS, stageNames, stageSchema } from '../../src/stages.ts';
import { onnxModel } from '../rig/onnx-model.ts';
import { MESSAGES, parquetOf, TEXT } from '../rig/parquet.ts';
import { Project } from '../rig/project.ts';
import { randomLlama, TINY } from '../rig/random-model.ts';
import { harmonySpecials, tokenizerJson } from '../rig/tokenizer.ts';

const GOLDEN = new URL('../golden/stages.json', import.meta.url);
const WITHOUT = [
  'sources/model',
  'sources/web',
  'transforms/llm-map',
  'transforms/sample-check',
  'trainer/lora',
  'evaluators/loss',
  'evaluators/generate',
];

const PAGE = `---
title: A page
---
# Heading *one*

Some **bold** text with a [link](https://example.org/x) and \`code\`, e.g. version 3.11 of it. Is it "quoted"? Yes!
It goes on; see https://example.org for more &amp; more.

## Second

- A first item that says something.
- A second item that says more.

| a | b |
|---|---|
| 1 | 2 |

\`\`\`
code block
\`\`\`

Dr. Smith wrote this sentence in U.S. English. It has two sentences. 日本語の文。もう一つの文。
`;

const HTML = `<!doctype html><html><head><title>T</title></head><body><nav>menu</nav><main><h1>Title</h1>
<p>First &lt;paragraph&gt; with <code>x = 1</code>.</p><p>Second paragraph that is longer.</p><pre>code</pre></main></body></html>`;

const RECIPE = `version: 1
sources:
  pages: { uses: files, with: { paths: ["docs/*.md", "docs/*.html"], by: section } }
  records: { uses: files, with: { paths: "data/*" } }
  base: { uses: model, with: { path: model } }
  talks: { uses: files, with: { paths: "talks/*.jsonl" } }
  odd: { uses: files, with: { paths: odd.jsonl } }
  shapes: { uses: files, with: { paths: shapes.jsonl } }
  packed: { uses: files, with: { paths: "packed/*", columns: [q, at], mostly: 0.9 } }
  copied: { uses: hub, with: { path: copy, columns: [q, messages], limit: 30 } }
  asked: { uses: sql, with: { files: "data/*", query: "SELECT a, len(q) AS n FROM 'data/b.csv' ORDER BY n", key: a } }
  typed: { uses: command, with: { run: "grep -v nothing data/a.jsonl > $OUT", files: "data/*", output: rows, key: a } }
transforms:
  queried: { uses: sql, from: { l: lines, r: records }, with: { query: "SELECT l.*, r.n FROM l CROSS JOIN (SELECT count(*) AS n FROM r) r WHERE len(l.text) > 20" } }
  counted: { uses: command, from: { some-rows: records }, with: { run: "head -n 3 $IN/rows.jsonl > $OUT/head; mkdir $OUT/sub; ln -s ../head $OUT/sub/link" } }
  text: { uses: plain-text, from: pages }
  lines: { uses: sentences, from: text, with: { carry: [title] } }
  some: { uses: filter, from: lines, with: { min: 12, words: { min: 2 }, without: [menu], mostly: 0 } }
  pairs: { uses: sentence-pairs, from: some, with: { instruction: { min: 1 }, response: { min: 1 } } }
  unique: { uses: dedup, from: records, with: { by: q } }
  near: { uses: near-dedup, from: records, with: { threshold: 0.5, shingle: 1, keep: longest } }
  close: { uses: near-dedup, from: lines, with: { method: simhash } }
  shuffled: { uses: shuffle, from: records, with: { seed: 1 } }
  sampled: { uses: sample, from: records, with: { share: 0.3 } }
  mixed: { uses: mix, from: [lines, unique], with: { weights: { lines: 2, unique: 1 }, rows: 40 } }
  lengths: { uses: stats, from: lines }
  scored: { uses: score, from: lines, with: { measure: punctuation } }
  plain: { uses: filter, from: scored, with: { where: { punctuation: { max: 0.1 } } } }
  classified: { uses: classify, from: lines, with: { path: classifier, scores: all } }
  meant: { uses: semantic-dedup, from: lines, with: { path: embedder, threshold: 0.8 } }
  varied: { uses: augment, from: lines, with: { how: [synonyms, insert, delete, swap], copies: 2, rate: 0.2, synonyms: synonyms.txt, keep: [version] } }
  split: { uses: split, from: records, with: { train: 0.5, eval: 0.5, by: row, seed: 1 } }
  normal: { uses: normalize, from: odd, with: { quotes: straight, width: all, unwrap: true, trim: true } }
  private: { uses: pii, from: normal, with: { as: pii, patterns: { CUSTOMER: 'C-\\d{3}' } } }
  unified: { uses: terms, from: private, with: { terms: { fine-tuning: [finetuning] }, file: terms.csv, as: terms } }
  tongues: { uses: language, from: unified }
  clean: { uses: decontaminate, from: { rows: tongues, against: [lines, some] }, with: { words: 5, shortest: 4 } }
  fine: { uses: quality, from: text, with: { rules: [gopher-repetition, fineweb], limits: { words: { min: 4 } }, as: quality } }
  shaped: { uses: messages, from: shapes, with: { mostly: 0.5 } }
  checked: { uses: check, from: records, with: { task: faq, rules: [{ unique: q, severity: warn }, { field: a, required: true, characters: { max: 9 }, severity: warn }] } }
templates:
  harmony: { uses: chat, from: { rows: pairs, model: base }, with: { date: "2025-01-01" } }
  jinja: { uses: chat, from: { rows: pairs, model: base }, with: { format: jinja, template: t.jinja, max_tokens: 130, over: truncate, mostly: 0 } }
  records-chat: { uses: chat, from: { rows: unique, model: base }, with: { user: q, assistant: a, dialect: hf, date: "2025-01-01", reasoning: high } }
  tools: { uses: chat, from: { rows: talks, model: base }, with: { loss: { channels: [analysis, commentary], headers: true }, max_tokens: 2000, mostly: 0.4 } }
  published-tools: { uses: chat, from: { rows: talks, model: base }, with: { dialect: hf, date: "2025-01-01", max_tokens: 2000 } }
  chatml: { uses: chat, from: { rows: talks, model: base }, with: { format: chatml, max_tokens: 2000, mostly: 0.4 } }
  llama3: { uses: chat, from: { rows: pairs, model: base }, with: { format: llama3, developer: Be brief. } }
  gemma: { uses: chat, from: { rows: pairs, model: base }, with: { format: gemma, developer: Be brief. } }
  mistral: { uses: chat, from: { rows: pairs, model: base }, with: { format: mistral, developer: Be brief. } }
  alpaca: { uses: chat, from: { rows: pairs, model: base }, with: { format: alpaca } }
`;

/** A conversation with functions, and one with the format of its answer. */
const TALKS = [
  {
    tools: [
      {
        type: 'function',
        function: {
          name: 'add',
          description: 'Adds.',
          parameters: {
            type: 'object',
            required: ['a'],
            properties: {
              a: { type: 'integer', description: 'first', default: 1 },
              b: { type: 'array', items: { type: 'string', enum: ['x', 'y'] } },
            },
          },
        },
      },
    ],
    messages: [
      { role: 'user', content: 'One and two?' },
      {
        role: 'assistant',
        thinking: 'Add.',
        content: '',
        tool_calls: [{ id: '1', function: { name: 'add', arguments: { a: 1 } } }],
      },
      { role: 'tool', tool_call_id: '1', content: '3' },
      { role: 'assistant', content: 'Three.' },
    ],
  },
  {
    response_format: { name: 'sum', schema: { type: 'object' } },
    messages: [
      { role: 'system', content: 'Be exact.' },
      { role: 'user', content: 'One and two?' },
      { role: 'assistant', thought: 'Add.', steps: ['1 + 2'], answer: '3' },
    ],
  },
];
/** Texts with something to set right. */
const ODD = [
  'cafÃ© and donâ€™t,\r\nbroken here \u201Cquoted\u201D\u200B ＡＢＣ',
  'Write to Ann@example.org or ann@example.org, +49 30 901820, as C-123. 4111 1111 1111 1111',
  'Finetuning on a graphics card, a Video  card and a gpu.',
  'Le modèle répond sans aucun raisonnement préalable.',
  'Say it again: it has two sentences, and it goes on.',
];
const SHAPES = [
  {
    conversations: [
      { from: 'human', value: 'Why?' },
      { from: 'gpt', value: '<think>Hm.</think>Because.' },
    ],
  },
  { instruction: 'Add.', input: '1 2', output: '3', system: 'Be exact.' },
  { text: '<|start|>user<|message|>Why?<|end|><|start|>assistant<|message|>Because.<|end|>', source: 'old' },
  { messages: [{ role: 'narrator', content: 'x' }] },
];
const FAMILIES =
  '<|im_start|> <|im_end|> <|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <bos> <start_of_turn> <end_of_turn> <s> </s> [INST] [/INST]';

/** Values of some types that JSON has no form of its own for. */
const CHATS = parquetOf(
  [
    TEXT('q'),
    { name: 'at', type: 'INT64', converted_type: 'TIMESTAMP_MICROS', repetition_type: 'OPTIONAL' },
    { name: 'big', type: 'INT64', repetition_type: 'OPTIONAL' },
    ...MESSAGES('messages', ['role', 'content']),
  ],
  {
    q: Array.from({ length: 50 }, (_, i) => `question ${i}`),
    at: Array.from({ length: 50 }, (_, i) => new Date(1_700_000_000_000 + i * 1001)),
    big: Array.from({ length: 50 }, (_, i) => 2n ** BigInt(i + 10)),
    messages: Array.from({ length: 50 }, (_, i) => (i % 5 ? [{ role: 'user', content: `turn ${i}` }] : null)),
  },
  { group: 20 },
);

const FILES = {
  'finetune.yaml': RECIPE,
  't.jinja': '{% for m in messages %}<|start|>{{ m.role }}: {{ m.content }}<|end|>\n{% endfor %}',
  'docs/a.md': PAGE,
  'docs/b.html': HTML,
  'data/a.jsonl': Array.from({ length: 40 }, (_, i) => `{"q":"question ${i % 30}","a":"answer ${i}"}\n`).join(''),
  'synonyms.txt': 'says, tells\nsentence, phrase\n文, 句\n',
  'talks/a.jsonl': TALKS.map(talk => `${JSON.stringify(talk)}\n`).join(''),
  'odd.jsonl': ODD.map(text => `${JSON.stringify({ text })}\n`).join(''),
  'shapes.jsonl': SHAPES.map(shape => `${JSON.stringify(shape)}\n`).join(''),
  'terms.csv': 'term,variants\nGPU,graphics card|video card\n',
  'data/b.csv': 'q,a\n"a, b",c\n"two\nlines",d\n',
  'packed/a.jsonl.gz': gzipSync('{"q":1}\n{"q":"two"}\nbroken\n'),
  'packed/b.json.zst': zstdCompressSync('[{"q":3}, {"q":[4]}]'),
  'packed/c.parquet': CHATS,
  'copy/data/train-00000-of-00001.parquet': CHATS,
};

describe('golden outputs', () => {
  it('change only with the version of their stage', async () => {
    const project = new Project(FILES);
    // Weights do not enter a chat's key or result, but a model folder is checked whole.
    randomLlama(project.path('model'), { ...TINY, vocab: 512 });
    project.write({
      'model/tokenizer.json': JSON.stringify(tokenizerJson({ specials: [...harmonySpecials, ...FAMILIES.split(' ')] })),
      'model/tokenizer_config.json': '{"eos_token": "</s>"}',
    });
    const words = { it: [1, 0, 0], first: [0, 1, 0], second: [0, 1, 0.5], item: [0, 0, 1], sentence: [1, 0, 1] };
    onnxModel(project.path('classifier'), { words, gives: 'logits' });
    onnxModel(project.path('embedder'), { words, gives: 'embedding' });
    const built = await project.buildHere();
    expect(built.events.filter(e => e.type === 'failed')).toEqual([]);
    const engine = await project.open();
    const stages = new Map(engine.graph.nodes.map(n => [n.name, n]));
    engine.close();
    const found: Record<string, { version: number | string; outputs: Record<string, string> }> = {};
    for (const [output, digest] of Object.entries(built.digests)) {
      const node = stages.get(output.split('.')[0]!)!;
      if (WITHOUT.includes(node.stage)) continue;
      const entry = (found[`${node.stage} (${node.name})`] ??= { version: node.version, outputs: {} });
      entry.outputs[output.split('.')[1]!] = digest;
    }
    if (process.env.UPDATE_GOLDEN) writeFileSync(GOLDEN, `${JSON.stringify(found, null, 2)}\n`);
    expect(found).toEqual(JSON.parse(readFileSync(GOLDEN, 'utf8')));
  });

  it('cover every stage that has one', () => {
    const all = SECTIONS.flatMap(s => stageNames(s).map(n => `${s}/${n}`)).filter(s => !WITHOUT.includes(s));
    const covered = Object.keys(JSON.parse(readFileSync(GOLDEN, 'utf8'))).map(k => k.split(' ')[0]);
    expect([...new Set(covered)].sort()).toEqual(all.sort());
  });

  it('come with a version in every schema', () => {
    for (const s of SECTIONS)
      for (const n of stageNames(s)) expect(stageSchema(s, n).stage.version, n).toBeGreaterThan(0);
  });
});

/** A project that trains for real in a second: a few questions, the small base model of `pipelines/`, one step. */
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Files, type Project, project } from './project.ts';

const MODEL = fileURLToPath(new URL('../../pipelines/models/tiny-chat', import.meta.url));

export const TRAINING = `version: 1
sources:
  rows: { uses: files, with: { paths: rows.jsonl, key: id } }
  base: { uses: model, with: { path: model } }
transforms:
  good: { uses: filter, from: rows, with: { field: answer, min: 5 } }
templates:
  chat: { uses: chat, from: { rows: good, model: base }, with: { format: harmony, user: question, assistant: answer } }
trainer:
  adapter:
    uses: lora
    from: { model: base, train: chat }
    with: { r: 1, targets: [q_proj], steps: 1, batch: 1, lr: 1e-3, seed: 1 }
evaluators:
  loss: { uses: loss, from: { model: base, adapter: adapter, rows: chat } }
profiles:
  big: { set: { trainer.adapter.with.r: 2 } }
`;

export const questions = (count: number): string =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ id: `q${i}`, question: `What is ${i} plus one?`, answer: `It is ${i + 1}.` }),
  ).join('\n');

/** `model/` is a copy of the base model, and ignored by git where the project becomes a repository. */
export const training = (files: Files = {}): Project => {
  const p = project({
    'finetune.yaml': TRAINING,
    'rows.jsonl': questions(6),
    '.gitignore': '.finetune/\nout/\nmodel/\n',
    ...files,
  });
  cpSync(MODEL, p.path('model'), { recursive: true });
  return p;
};

/** The recipe for reasoning in other languages (seed 001), run whole by the real command line: from a Hub, and from a copy of it. */
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commitOf, serveHub } from '../rig/hub-server.ts';
import { asParquet, chats } from '../rig/multilingual.ts';
import { type Built, Project } from '../rig/project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RECIPE = 'pipelines/multilingual-thinking.yaml';
const NAME = 'HuggingFaceH4/Multilingual-Thinking';
const CARD =
  '---\nlicense: apache-2.0\ndataset_info:\n  features: []\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n';

const copy = (): Project => {
  const project = new Project({});
  onTestFinished(() => project.remove());
  for (const name of [RECIPE, 'pipelines/multilingual-prompts.yaml']) cpSync(join(root, name), project.path(name));
  mkdirSync(project.path('pipelines/models'), { recursive: true });
  symlinkSync(join(root, 'pipelines/models/tiny-chat'), project.path('pipelines/models/tiny-chat'));
  return project;
};

const losses = ({ events }: Built) =>
  events.flatMap(e => (e.type === 'done' && e.node === 'loss' ? [e.metrics] : []))[0] as {
    readonly base: { readonly loss: number };
    readonly tuned: { readonly loss: number };
  };

describe('multilingual thinking', { timeout: 300_000 }, () => {
  const { all, wrong } = chats(300);
  const DATA = asParquet(all);
  const PATH = 'data/train-00000-of-00001.parquet';

  it('goes from the Hub to a model that thinks as it is told; a second build asks the Hub for nothing', async () => {
    const server = await serveHub([
      {
        kind: 'datasets',
        name: NAME,
        refs: { main: commitOf(1) },
        commits: { [commitOf(1)]: { 'README.md': CARD, [PATH]: DATA } },
      },
    ]);
    const project = copy();
    const args = ['--recipe', RECIPE, '--set', `vars.endpoint=${server.endpoint}`];
    const built = await project.build(args);
    expect(built.code, built.stderr + built.reasons).toBe(0);
    const rows = (node: string): number => built.nodes[node]!.rows!;
    expect([rows('chats'), rows('talks'), rows('languages')]).toEqual([300, 300, 5]);
    // Those that think in another language than they say are gone, and hardly any other.
    expect(rows('right')).toBeLessThanOrEqual(300 - wrong);
    expect(rows('right')).toBeGreaterThan(0.97 * (300 - wrong));
    const { base, tuned } = losses(built);
    expect(tuned.loss).toBeLessThan(0.75 * base.loss);
    expect(existsSync(project.path('out/multilingual-thinking/adapter/adapter_config.json'))).toBe(true);

    server.asked.length = 0;
    const again = await project.build(args);
    expect(new Set(Object.values(again.states))).toEqual(new Set(['cached']));
    expect(server.asked).toEqual([]);
  });

  it('reads the same rows from a clone, and renders the reasoning into the analysis channel', async () => {
    const project = copy();
    project.write({ 'clone/README.md': CARD, [`clone/${PATH}`]: DATA, 'clone/.git/HEAD': 'ref: refs/heads/main\n' });
    const args = ['--recipe', RECIPE, '--profile', 'copy', '--set', 'vars.copy=../clone', 'chat', 'languages'];
    const built = await project.build(args);
    expect(built.code, built.stderr + built.reasons).toBe(0);
    const shown = await project.run([
      'show',
      'languages',
      '--recipe',
      RECIPE,
      '--profile',
      'copy',
      '--set',
      'vars.copy=../clone',
      '--json',
    ]);
    const counts = shown.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { reasoning_language: string; chats: number });
    expect(counts.map(c => [c.reasoning_language, c.chats])).toEqual(
      ['English', 'French', 'German', 'Italian', 'Spanish'].map(language => [language, 60]),
    );
    const chat = await project.run([
      'show',
      'chat',
      '--recipe',
      RECIPE,
      '--profile',
      'copy',
      '--set',
      'vars.copy=../clone',
      '--rows',
      '300',
    ]);
    expect(chat.stdout).toContain('<|channel|>analysis<|message|>');
    expect(chat.stdout).toMatch(/# Instructions\s+reasoning language: French/);
    expect(chat.stdout).toContain('Je vais répondre');
  });
});

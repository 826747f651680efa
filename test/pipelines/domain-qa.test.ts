/** The recipe for a support desk's questions (seed 003), run whole by the real command line against a local model server. */
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LlmServer, llmServer } from '../rig/llm-server.ts';
import { type Built, Project } from '../rig/project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RECIPE = 'pipelines/domain-qa.yaml';
const TICKETS = 'pipelines/domain-qa/questions.jsonl';

/** A copy of the recipe and what it reads, so that the test may edit it; the model stays where it is. */
const copy = (): Project => {
  const project = new Project({});
  for (const name of [RECIPE, 'pipelines/domain-qa']) cpSync(join(root, name), project.path(name), { recursive: true });
  mkdirSync(project.path('pipelines/models'), { recursive: true });
  symlinkSync(join(root, 'pipelines/models/tiny-chat'), project.path('pipelines/models/tiny-chat'));
  onTestFinished(() => project.remove());
  return project;
};

const isJudging = (asked: LlmServer['asked'][number]): boolean => asked.body.response_format !== undefined;

/** Says in other words what stands in the frame, and finds everything good. */
const teacher = (): Promise<LlmServer> =>
  llmServer(asked => {
    if (isJudging(asked)) return '{"good": true, "why": ""}';
    const text = /<text>\n(.*)\n<\/text>/s.exec(asked.prompt)![1]!;
    return `Please tell me: ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
  });

const states = ({ states: all }: Built, state: string): string[] =>
  Object.entries(all).flatMap(([node, s]) => (s === state ? [node] : []));

const losses = ({ events }: Built) =>
  events.flatMap(e => (e.type === 'done' && e.node === 'loss' ? [e.metrics] : []))[0] as {
    readonly base: { readonly loss: number };
    readonly tuned: { readonly loss: number };
  };

describe('domain Q&A', { timeout: 300_000 }, () => {
  it('goes from untidy tickets to a tuned model, and asks for nothing twice', async () => {
    const server = await teacher();
    const project = copy();
    const build = () =>
      project.build(['--recipe', RECIPE, '--set', `vars.endpoint=${server.url}`, '--set', 'vars.teacher=teacher']);

    const first = await build();
    expect(first.code, first.stderr + first.reasons).toBe(0);
    const rows = (node: string): number => first.nodes[node]!.rows!;
    // 62 tickets: two of them say nothing, five ask once more what has been asked.
    expect([rows('tickets'), rows('valid'), rows('unique')]).toEqual([62, 60, 55]);
    expect(rows('rephrased')).toBeGreaterThan(40);
    expect(rows('varied')).toBeGreaterThan(60);
    expect(rows('noisy')).toBeGreaterThan(10);
    expect(rows('domain')).toBe(rows('varied') + rows('noisy') + rows('judged'));
    expect(rows('mixed')).toBe(220);
    expect(first.events).toContainEqual(
      expect.objectContaining({ type: 'warn', node: 'ready', message: expect.stringMatching(/faq.*1,000/) }),
    );
    const judged = server.asked.filter(isJudging).length;
    expect(judged).toBeGreaterThan(2);
    expect(server.asked.length - judged).toBe(rows('rephrased'));
    const { base, tuned } = losses(first);
    expect(tuned.loss).toBeLessThan(base.loss * 0.95);
    expect(existsSync(project.path('out/domain-qa/adapter/adapter_config.json'))).toBe(true);

    server.asked.length = 0;
    const again = await build();
    expect(states(again, 'cached').length).toBe(again.summary.nodes.length);
    expect(server.asked).toEqual([]);

    // One ticket is asked otherwise: only that one is said in other words, or judged, again.
    project.edit(TICKETS, 'Is there a limit to the size of an upload?', 'How large may a single upload be at most?');
    const edited = await build();
    expect(edited.code, edited.stderr + edited.reasons).toBe(0);
    expect(edited.nodes.rephrased).toMatchObject({ state: 'built', computed: 1 });
    expect(server.asked.filter(a => !isJudging(a)).length).toBe(1);
    for (const { prompt } of server.asked) expect(prompt).toMatch(/large may a single upload be at most\?/);
    expect(states(edited, 'cached')).toEqual(['general', 'base', 'held']);
  });

  it('does without what the recipe asks for elsewhere until the server is there', async () => {
    const server = await teacher();
    const project = copy();
    const build = () =>
      project.build([
        'rephrased',
        '--recipe',
        RECIPE,
        '--set',
        `vars.endpoint=${server.url}`,
        '--set',
        'vars.teacher=t',
      ]);
    const { answer } = server;
    server.answer = asked =>
      asked.number > 10 ? { status: 403, body: { error: { message: 'not today' } } } : answer(asked);
    const failed = await build();
    expect(failed.reasons).toEqual(['llm-denied']);
    server.answer = answer;
    const before = server.asked.length;
    const built = await build();
    expect(built.code).toBe(0);
    expect(server.asked.length - before).toBe(built.nodes.rephrased!.rows! - 10);
  });

  it('holds out only questions that were really asked, none of which was learned', async () => {
    const server = await teacher();
    const project = copy();
    const set = [`vars.endpoint=${server.url}`, 'vars.teacher=t'].flatMap(s => ['--set', s]);
    await project.build(['mixed', 'split', '--recipe', RECIPE, ...set]);
    const shown = async (node: string) => {
      const { stdout } = await project.run(['show', node, '--rows', '500', '--json', '--recipe', RECIPE, ...set]);
      return stdout
        .split('\n')
        .filter(Boolean)
        .map(line => JSON.parse(line) as { id: string; augmented?: string });
    };
    const held = await shown('split.eval');
    const learned = await shown('mixed');
    expect(held.length).toBeGreaterThan(5);
    expect(held.every(r => r.augmented === undefined)).toBe(true);
    const ids = new Set(held.map(r => r.id));
    for (const { id } of learned)
      expect(ids.has(id.replace(/^general\/|^ready\/\w+\//, '').split('/')[0]!), id).toBe(false);
    expect(new Set(learned.map(r => r.augmented))).toEqual(
      new Set([undefined, 'synonyms', 'insert', 'delete', 'paraphrase']),
    );
  });
});

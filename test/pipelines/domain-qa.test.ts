/** The recipe for a support desk's questions (seed 003), run whole by the real command line against a local model server. */
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { type LlmServer, llmServer } from '../rig/llm-server.ts';
import { type Built, Project } from '../rig/project.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RECIPE = 'pipelines/domain-qa.yaml';

const copy = (): Project => {
  const project = new Project({});
  for (const name of [RECIPE, 'pipelines/domain-qa'])
    cpSync(join(root, name), project.path(name), { recursive: true });
  mkdirSync(project.path('pipelines/models'), { recursive: true });
  symlinkSync(join(root, 'pipelines/models/tiny-chat'), project.path('pipelines/models/tiny-chat'));
  return project;
};

/** Rephrases what it is asked to rephrase, and finds everything good. */
const teacher = (): Promise<LlmServer> =>
  llmServer(({ prompt, body }) => {
    if (body.response_format) return '{"good": true, "why": ""}';
    const text = /<text>\n(.*)\n<\/text>/s.exec(prompt)![1]!;
    return `Please tell me: ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
  });

const notes = ({ events }: Built): Record<string, string> =>
  Object.fromEntries(events.flatMap(e => (e.type === 'done' && e.note ? [[e.node, e.note]] : [])));

const metrics = (events: readonly BuildEvent[], node: string) =>
  events.flatMap(e => (e.type === 'done' && e.node === node ? [e.metrics] : []))[0] as {
    readonly base: { readonly loss: number };
    readonly tuned: { readonly loss: number };
  };

describe('domain Q&A', { timeout: 300_000 }, () => {
  it('goes from untidy tickets to a tuned model; a second build asks nothing; an edit asks for its row', async () => {
    const server = await teacher();
    const project = copy();
    onTestFinished(() => project.remove());
    const build = () =>
      project.build(['--recipe', RECIPE, '--set', `vars.endpoint=${server.url}`, '--set', 'vars.teacher=teacher']);

    const first = await build();
    expect(first.code, first.stderr + first.reasons).toBe(0);
    const rows = (node: string) => first.nodes[node]!.rows!;
    // 62 tickets: two say nothing, five ask again what has been asked.
    expect([rows('tickets'), rows('valid'), rows('unique')]).toEqual([62, 60, 55]);
    expect(rows('rephrased')).toBeGreaterThan(35);
    expect(rows('domain')).toBe(rows('varied') + rows('judged'));
    console.log(Object.values(first.nodes).map(n => `${n.name} ${n.state} ${n.rows} ${n.seconds}`).join('\n'), notes(first), metrics(first.events, 'loss'));
  });
});

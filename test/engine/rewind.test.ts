/** Blobs that are lost or damaged while a build is under way: what made them is made again, by the same build. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeManifest } from '../../cache/dataset.ts';
import { GATE, type Project, pages, project, RECIPE, until } from '../rig/project.ts';

const docs = pages(25, 12);

const flip = (path: string, offset: number): void => {
  const bytes = readFileSync(path);
  bytes[offset]! ^= 0x55;
  writeFileSync(path, bytes);
};

/** Flips a byte in the first chunk of a node's rows. */
const damage = async (p: Project, node: string): Promise<void> => {
  const { store, records, close, graph } = await p.open();
  const record = await records.get((await records.history(graph.id, node))!.key);
  const output = record!.outputs.rows!;
  const { chunks } = decodeManifest(store.read(output.digest)!);
  const at = store.locate(chunks[0]!.digest)!;
  close();
  flip(at.path, at.offset + Math.floor(at.length / 2));
};

test('a damaged input is made again, and then what needed it; nothing else is', async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...docs });
  const { digests } = await p.buildHere();
  await damage(p, 'good');
  p.edit('finetune.yaml', 'instruction: { min: 5 }', 'instruction: { min: 6 }');
  const here = await p.buildHere();
  expect(here.ok).toBe(true);
  expect(here.states).toMatchObject({ text: 'cached', lines: 'cached', good: 'built', pairs: 'built' });
  expect(here.digests['good.rows']).toBe(digests['good.rows']);
  const warnings = here.events.flatMap(e => (e.type === 'warn' ? [`${e.node}: ${e.message}`] : []));
  expect(warnings).toEqual([
    expect.stringMatching(/^pairs: a blob of the store \([0-9a-f]{12}\) could not be read: good made again$/),
  ]);
  expect((await p.run(['cache', 'verify'])).code).toBe(0);
  expect(p.files('.finetune/quarantine').length).toBe(2);
});

test('what was damaged far up is reached step by step', async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...docs });
  const { digests } = await p.buildHere();
  for (const node of ['text', 'lines', 'good']) await damage(p, node);
  const here = await p.buildHere({ force: ['pairs'] });
  expect(here.ok).toBe(true);
  expect(here.digests).toEqual(digests);
});

test('whatever is flipped, a build that runs everything again is right', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), async offsets => {
      const p = project({ 'finetune.yaml': RECIPE, ...docs });
      const { digests } = await p.buildHere();
      const pack = p.path(p.files('.finetune/packs')[0]!);
      const { length } = readFileSync(pack);
      for (const at of offsets) flip(pack, at % length);
      const here = await p.buildHere({ force: ['text', 'lines', 'good', 'pairs', 'unique', 'split'] });
      expect(here.ok).toBe(true);
      expect(here.digests).toEqual(digests);
    }),
    { numRuns: 4, endOnFailure: true },
  );
});

test('packs that are deleted during a build are made again', async () => {
  const recipe = RECIPE.replace('  pairs:', '  mine:   { uses: ./gate.ts, from: good }\n  pairs:').replace(
    'from: good, with: { inst',
    'from: mine, with: { inst',
  );
  const p = project({ 'finetune.yaml': recipe, 'gate.ts': GATE, closed: '', ...pages(4) });
  const wanted = await project({ 'finetune.yaml': recipe, 'gate.ts': GATE, ...pages(4) }).buildHere();
  const running = p.startBuild();
  await until('the gate', () => existsSync(p.path('arrived')));
  rmSync(p.path('.finetune/packs'), { recursive: true });
  p.write({ '.finetune/packs/.keep': '', closed: null });
  const built = await running.built;
  expect(built.code).toBe(0);
  const again = await p.buildHere();
  expect(again.ok).toBe(true);
  expect(again.digests).toEqual(wanted.digests);
});

/** Nodes share cores, GPUs and memory: never more than there is, first come, first served, and nobody waits for ever. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { thisMachine } from '../../src/engine/machine.ts';
import { type Grant, Slots } from '../../src/engine/slots.ts';
import type { BuildEvent } from '../../src/events.ts';
import type { GraphNode } from '../../src/load/graph.ts';
import { GATE, pages, project, until } from '../rig/project.ts';

type Resources = Omit<NonNullable<GraphNode['resources']>, 'place'>;

const place = { path: 'finetune.yaml' };
const asking = (resources: Resources | null, threads: GraphNode['threads'] = 'one'): GraphNode =>
  ({
    ...{ name: 'node', section: 'trainer', threads, place },
    ...(resources ? { resources: { ...resources, place } } : {}),
  }) as unknown as GraphNode;

const never = new AbortController().signal;
const slotsOf = (cpu: number, gpus = 0, memory = 100) =>
  new Slots({ cpu, memory, gpus: () => Array.from({ length: gpus }, (_, i) => String(i)) });

/** Lets everything that can go on go on. */
const settled = async () => {
  for (let i = 0; i < 20; i++) await null;
};

describe('slots', () => {
  test('a node has one core, all of them where its stage uses them, or as many as it says', async () => {
    const threads = async (node: GraphNode) => (await slotsOf(4, 2).take(node, never)).threads;
    expect(await threads(asking(null))).toBe(1);
    expect(await threads(asking(null, 'all'))).toBe(4);
    expect(await threads(asking({ cpu: 3 }, 'all'))).toBe(3);
    expect(await threads(asking({ cpu: 'all' }))).toBe(4);
    // Work on a GPU needs a core to feed it, not the machine.
    expect(await threads(asking({ gpu: 1 }, 'all'))).toBe(1);
    expect(await threads(asking({ gpu: 1, cpu: 'all' }))).toBe(4);
  });

  test('each GPU is given to one node at a time, by its name', async () => {
    const slots = slotsOf(8, 3);
    const [a, b] = [await slots.take(asking({ gpu: 2 }), never), await slots.take(asking({ gpu: 1 }), never)];
    expect([a.gpus, b.gpus]).toEqual([['0', '1'], ['2']]);
    let third: Grant | null = null;
    void slots.take(asking({ gpu: 1 }), never).then(g => {
      third = g;
    });
    await settled();
    expect(third).toBeNull();
    a.release();
    a.release();
    await settled();
    expect(third!.gpus).toEqual(['0']);
    expect((await slots.take(asking({ cpu: 2 }), never)).gpus).toBeNull();
  });

  test('who waits for a GPU keeps no core from the others; who waits for all cores is not passed for ever', async () => {
    const slots = slotsOf(2, 1);
    const first = await slots.take(asking({ gpu: 1 }), never);
    const order: string[] = [];
    const take = (name: string, node: GraphNode) =>
      slots.take(node, never).then(grant => {
        order.push(name);
        return grant;
      });
    void take('second on the GPU', asking({ gpu: 1, cpu: 'all' }));
    const one = await take('a core', asking(null));
    void take('all cores', asking({ cpu: 'all' })).then(g => g.release());
    void take('after all cores', asking(null)).then(g => g.release());
    one.release();
    await settled();
    expect(order).toEqual(['a core']);
    first.release();
    await settled();
    expect(order).toEqual(['a core', 'all cores', 'after all cores', 'second on the GPU']);
  });

  test('one that gives up leaves the line, and gives back what it had', async () => {
    const slots = slotsOf(2, 1);
    const holder = await slots.take(asking({ cpu: 'all' }), never);
    const stop = new AbortController();
    const waiting = slots.take(asking({ gpu: 1 }), stop.signal);
    await settled();
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(slots.take(asking(null), stop.signal)).rejects.toThrow('enough');
    holder.release();
    expect((await slots.take(asking({ gpu: 1, cpu: 'all' }), never)).gpus).toEqual(['0']);
  });

  test('more than there is fails at once, with what to do', async () => {
    const told = (resources: Resources) =>
      slotsOf(2, 1, 8e9)
        .take(asking(resources), never)
        .then(
          () => '',
          error => [error.failures[0].message, error.failures[0].advice].join('\n'),
        );
    expect(await told({ cpu: 3 })).toBe(
      'node asks for 3 cores; there are 2 for this build\nbuild with --jobs 3, or ask for fewer: --set trainer.node.resources.cpu=2',
    );
    expect(await told({ memory: 9.5e9 })).toBe(
      'node asks for 9.5GB of memory; this machine has 8GB\nask for less: --set trainer.node.resources.memory=8GB',
    );
    expect(await told({ gpu: 2 })).toBe(
      'node asks for 2 GPUs; there is 1\nwhere there are more than were found, say how many: FINETUNE_GPUS=2; or ask for fewer: --set trainer.node.resources.gpu=1',
    );
    expect(await told({ gpu: 1, cpu: 2, memory: 8e9 })).toBe('');
  });

  test('whatever nodes ask for and in whatever order they end: never too much, and all have their turn', async () => {
    const asks = fc.record(
      {
        cpu: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant('all' as const)),
        gpu: fc.integer({ min: 0, max: 2 }),
        memory: fc.integer({ min: 0, max: 10 }),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(asks, { maxLength: 30 }), fc.infiniteStream(fc.nat()), async (all, ends) => {
        const slots = slotsOf(4, 2, 10);
        const running: { grant: Grant; ask: Resources }[] = [];
        let done = 0;
        for (const ask of all)
          void slots.take(asking(ask), never).then(grant => {
            running.push({ grant, ask });
          });
        const aborted = new AbortController();
        const given = slots.take(asking({ gpu: 2, memory: 10, cpu: 'all' }), aborted.signal).catch(() => null);
        aborted.abort();
        for (await settled(); running.length > 0; await settled()) {
          expect(running.reduce((n, r) => n + r.grant.threads, 0)).toBeLessThanOrEqual(4);
          expect(running.reduce((n, r) => n + (r.ask.memory ?? 0), 0)).toBeLessThanOrEqual(10);
          const gpus = running.flatMap(r => r.grant.gpus ?? []);
          expect(new Set(gpus).size).toBe(gpus.length);
          running.splice(ends.next().value % running.length, 1)[0]!.grant.release();
          done++;
        }
        await given;
        expect(done).toBe(all.length);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the machine', () => {
  test('GPUs are those that the environment names, as CUDA reads it', () => {
    const gpus = (env: NodeJS.ProcessEnv) => thisMachine(1, env).gpus();
    expect(gpus({ CUDA_VISIBLE_DEVICES: '2, 3' })).toEqual(['2', '3']);
    expect(gpus({ CUDA_VISIBLE_DEVICES: 'GPU-8a,-1,3' })).toEqual(['GPU-8a']);
    expect(gpus({ CUDA_VISIBLE_DEVICES: '' })).toEqual([]);
    expect(gpus({ CUDA_VISIBLE_DEVICES: '', FINETUNE_GPUS: '2' })).toEqual(['0', '1']);
    expect(gpus({ CUDA_VISIBLE_DEVICES: '4,5,6', FINETUNE_GPUS: '2' })).toEqual(['4', '5']);
    expect(gpus({ FINETUNE_GPUS: '0' })).toEqual([]);
    expect(() => gpus({ FINETUNE_GPUS: 'two' })).toThrow('FINETUNE_GPUS is how many GPUs a build may use');
  });

  test('has the cores of --jobs and some memory', () => {
    const { cpu, memory } = thisMachine(3, {});
    expect(cpu).toBe(3);
    expect(memory).toBeGreaterThan(1e8);
  });
});

describe('a build', () => {
  const recipe = (resources: string) => `version: 1
sources:
  docs:  { uses: files, with: { paths: "docs/**/*.md" } }
transforms:
  heavy: { uses: ./gate.ts, from: docs, matrix: { n: [1, 2] }, with: { n: "\${matrix.n}" }, resources: ${resources} }
  light: { uses: sentences, from: docs }
`;
  const events = (text: string): BuildEvent[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map(l => JSON.parse(l) as BuildEvent);
  const happened = (text: string, type: string): string[] =>
    events(text).flatMap(e => (e.type === type && 'node' in e && e.node !== null ? [e.node] : []));

  const half = Math.ceil(thisMachine(1, {}).memory * 0.6);
  test.each([
    ['a GPU each', '{ gpu: 1 }'],
    ['more than half of the memory each', `{ memory: ${half}B }`],
  ])('with %s runs one variant after the other, and others beside them', async (_, resources) => {
    const p = project({ 'finetune.yaml': recipe(resources), 'gate.ts': GATE, closed: '', ...pages(1) });
    const build = p.startBuild(['--jobs', '3'], { env: { FINETUNE_GPUS: '1' } });
    await until(
      'the first variant and the light node',
      () => p.has('arrived') && happened(build.written(), 'done').includes('light'),
    );
    expect(happened(build.written(), 'start').filter(n => n.startsWith('heavy'))).toHaveLength(1);
    p.write({ closed: null });
    const { states } = await build.built;
    expect(states).toEqual({ docs: 'built', 'heavy@n=1': 'built', 'heavy@n=2': 'built', light: 'built' });
  });

  test('never works on more cores than --jobs says', async () => {
    const p = project({ 'finetune.yaml': recipe('{ cpu: 2 }'), 'gate.ts': GATE, ...pages(1) });
    const { ok, events: all } = await p.buildHere({ jobs: 3 });
    expect(ok).toBe(true);
    const heavy = all
      .filter(e => (e.type === 'start' || e.type === 'done') && e.node.startsWith('heavy'))
      .map(e => e.type);
    expect(heavy).toEqual(['start', 'done', 'start', 'done']);
  });

  test('that would have to run what the machine cannot fails before anything is done', async () => {
    const p = project({ 'finetune.yaml': recipe('{ gpu: 2 }'), 'gate.ts': GATE, ...pages(1) });
    const built = await p.build([], { env: { FINETUNE_GPUS: '1' } });
    expect(built.code).toBe(2);
    expect(built.reasons).toEqual(['not-enough-resources', 'not-enough-resources']);
    expect(happened(built.stdout, 'start')).toEqual([]);
    const { stderr } = await p.run(['build', 'heavy@n=1'], { env: { FINETUNE_GPUS: '1' } });
    expect(stderr).toContain('finetune.yaml:5:');
    expect(stderr).toContain('heavy@n=1 asks for 2 GPUs; there is 1');
  });

  test('needs no GPU for what has been made, and no other key for other resources', async () => {
    const p = project({ 'finetune.yaml': recipe('{ gpu: 2 }'), 'gate.ts': GATE, ...pages(1) });
    const first = await p.build([], { env: { FINETUNE_GPUS: '2' } });
    expect(first.code).toBe(0);
    const second = await p.build([], { env: { FINETUNE_GPUS: '0' } });
    expect(new Set(Object.values(second.states))).toEqual(new Set(['cached']));
    p.edit('finetune.yaml', '{ gpu: 2 }', '{ cpu: 1, memory: 10MB }');
    const third = await p.build();
    expect(new Set(Object.values(third.states))).toEqual(new Set(['cached']));
  });

  test('of which nobody can say yet what must run fails where it comes to it', async () => {
    const p = project({
      'finetune.yaml': recipe('{ gpu: 1 }').replace('from: docs, matrix', 'from: light, matrix'),
      'gate.ts': GATE,
      ...pages(1),
    });
    expect((await p.build([], { env: { FINETUNE_GPUS: '1' } })).code).toBe(0);
    p.write({ 'docs/0000.md': '# Another\n\nPage with other words in it.\n' });
    const built = await p.build([], { env: { FINETUNE_GPUS: '0' } });
    expect(built.code).toBe(1);
    expect(built.states).toMatchObject({ light: 'built', 'heavy@n=1': 'failed' });
    expect(built.reasons).toContain('not-enough-resources');
  });
});

/** Garbage is collected while builds run, by processes of their own: every build ends well, and all that is left is sound. */
import { expect, test } from 'vitest';
import { pages, project, RECIPE } from '../rig/project.ts';

const docs = pages(60, 12);

test('builds and collections side by side, and some of both killed', async () => {
  const p = project({ 'finetune.yaml': RECIPE, ...docs });
  const wanted = (await project({ 'finetune.yaml': RECIPE, ...docs }).buildHere()).digests;
  let isOver = false;
  const collecting = (async () => {
    const codes = new Set<number | null>();
    for (let n = 0; !isOver; n++) {
      const gc = p.start(['cache', 'gc', '--size', '0']);
      if (n % 4 === 3) setTimeout(() => gc.kill('SIGKILL'), 150 + n * 7);
      const { code, stderr } = await gc.done;
      // Nothing that it could say is expected here, but that it was killed.
      if (n % 4 !== 3) expect([code, stderr]).toEqual([0, '']);
      codes.add(code);
    }
    return codes;
  })();
  // More than two at once of one recipe: none of them can rely on being among its last builds.
  const lane = async (first: number): Promise<void> => {
    for (let i = first; i < first + 4; i++) {
      const args = ['--set', `transforms.good.with.min=${10 + i}`, '--jobs', '1'];
      if (i % 4 === 2) {
        const running = p.start(['build', '--json', ...args]);
        setTimeout(() => running.kill('SIGKILL'), 500);
        await running.done;
        continue;
      }
      const built = await p.build(args);
      expect(built.code, built.stdout + built.stderr).toBe(0);
    }
  };
  await Promise.all([lane(0), lane(10), lane(20)]);
  isOver = true;
  expect(await collecting).toContain(0);
  const last = await p.buildHere();
  expect(last.ok).toBe(true);
  expect(last.digests).toEqual(wanted);
  expect((await p.run(['cache', 'verify'])).stdout).toMatch(/all sound\n$/);
  await p.run(['cache', 'gc', '--size', '0']);
  expect((await p.run(['cache', 'verify'])).stdout).toMatch(/all sound\n$/);
  expect(p.files('.finetune/leases')).toEqual([]);
  expect(new Set(Object.values((await p.buildHere()).states))).toEqual(new Set(['cached']));
});

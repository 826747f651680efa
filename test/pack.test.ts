/** The published package: packed, installed in an empty folder beside the oldest Node it promises, and run there. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'finetune-pack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Our own Node first in the PATH, as npm's scripts have it. */
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
};

const run = (command: string, args: readonly string[], cwd: string) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
  return { status, stdout, stderr };
};

const OWN = `version: 1
sources:
  lines: { uses: command, with: { run: 'for i in 1 2 3 4; do echo "{\\"text\\":\\"a line that is long enough $i\\"}"; done > $OUT', output: rows } }
transforms:
  mine:   { uses: ./mine.ts, from: lines }
  unique: { uses: dedup, from: mine }
  parts:  { uses: split, from: unique, with: { train: 0.5, eval: 0.5, by: row } }
`;

const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/;

describe('the package', () => {
  it('runs on Node 22.22 in an empty folder, from init to a trained adapter', { timeout: 600_000 }, ctx => {
    const packed = run('npm', ['pack', '--json', '--pack-destination', folder], root);
    expect(packed.status, packed.stderr).toBe(0);
    const tarball = readdirSync(folder).find(f => f.endsWith('.tgz'));
    expect(tarball).toBeDefined();

    // npm 10 knows no allowScripts: this keeps onnxruntime-node from downloading CUDA libraries.
    writeFileSync(join(folder, '.npmrc'), 'onnxruntime-node-install=skip\n');
    writeFileSync(
      join(folder, 'package.json'),
      '{"private":true,"allowScripts":{"onnxruntime-node":false,"node":true}}',
    );
    const installed = run('npm', ['install', '--no-audit', '--no-fund', `./${tarball}`, 'node@22.22'], folder);
    if (installed.status !== 0 && OFFLINE.test(installed.stderr)) ctx.skip('no package registry can be reached');
    expect(installed.status, installed.stderr).toBe(0);

    const node = join(folder, 'node_modules/node/bin/node');
    expect(run(node, ['--version'], folder).stdout).toMatch(/^v22\.22\./);
    const finetune = (...args: string[]) => run(node, ['node_modules/finetune/bin/finetune.js', ...args], folder);

    expect(existsSync(join(folder, 'node_modules/finetune/src'))).toBe(false);
    expect(finetune('init')).toMatchObject({ status: 0 });
    const built = finetune('build', '--json', '--set', 'trainer.adapter.with.steps=3');
    const events = built.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(built.status, JSON.stringify(events.filter(e => e.type === 'failed' || e.type === 'mistakes'))).toBe(0);
    expect(built.stderr).toBe('');
    expect(events.at(-1)).toMatchObject({ type: 'summary', ok: true });
    expect(readdirSync(join(folder, 'out/adapter'))).toContain('adapter_model.safetensors');

    const again = finetune('build', '--plain', '--set', 'trainer.adapter.with.steps=3');
    expect(again.stdout).toMatch(/^\d+ nodes cached/);
    expect(again.stderr).toBe('');

    // Bundled, but for what is found by its path: stages, workers, the user's own code beside them.
    const dist = join(folder, 'node_modules/finetune/dist');
    const stages = globSync('*/*.json', { cwd: join(dist, 'schemas/stages') });
    expect(stages.length).toBeGreaterThan(10);
    for (const schema of stages)
      expect(existsSync(join(dist, 'stages', schema.replace(/json$/, 'js'))), schema).toBe(true);
    writeFileSync(join(folder, 'mine.ts'), "export const kind = 'rows';\nexport default (fields: object) => fields;\n");
    writeFileSync(join(folder, 'own.yaml'), OWN);
    const own = finetune('build', '--plain', '-r', 'own.yaml');
    expect(own.stdout, own.stderr).toMatch(/done: 4 built/);
    expect(finetune('show', 'parts.train', '-r', 'own.yaml').stdout).toContain('a line that is long enough');
  });
});

/** Answers that were paid for: there after a kill, never wrong, forgotten only when that is asked for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { digest } from '../../cache/digest.ts';
import { Memo } from '../../cache/memo.ts';
import { project } from '../rig/project.ts';

const key = (n: number | string): string => digest(`key ${n}`);
const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString();

test('answers come back as they were put, the first of each key', () => {
  const { folder } = project({});
  const memo = new Memo(folder);
  const long = 'an answer of a model, '.repeat(100);
  memo.put([
    [key(1), Buffer.from('one')],
    [key(2), Buffer.from(long)],
    [key(3), Buffer.alloc(0)],
  ]);
  memo.put([[key(1), Buffer.from('another')]]);
  memo.close();
  const again = new Memo(folder);
  const found = again.get([1, 2, 3, 4].map(key));
  expect([...found.keys()]).toEqual([1, 2, 3].map(key));
  expect([...found.values()].map(text)).toEqual(['one', long, '']);
  expect(again.size()).toMatchObject({ answers: 3 });
  again.close();
});

test('an answer is there when the process that got it is killed right after', async () => {
  const { folder } = project({});
  const code = `
    import { Memo } from ${JSON.stringify(fileURLToPath(new URL('../../cache/memo.ts', import.meta.url)))};
    const memo = new Memo(${JSON.stringify(folder)});
    for (let i = 0; ; i++) {
      memo.put([[String(i).padStart(64, '0'), Buffer.from('answer ' + i)]]);
      process.stdout.write(i + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', data => {
    told += data;
    if (told.length > 100) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const last = Number(told.trim().split('\n').at(-1));
  const memo = new Memo(folder);
  const keys = Array.from({ length: last + 1 }, (_, i) => String(i).padStart(64, '0'));
  expect(memo.get(keys).size).toBe(last + 1);
  memo.close();
});

test('an answer that was changed on disk is none, and can be put again', () => {
  const { folder } = project({});
  const memo = new Memo(folder);
  memo.put([[key(1), Buffer.from('one')]]);
  const db = new DatabaseSync(join(folder, 'memo.db'));
  db.prepare('UPDATE memo SET value = ?').run(Buffer.from('two'));
  db.close();
  expect(memo.get([key(1)]).size).toBe(0);
  memo.put([[key(1), Buffer.from('one')]]);
  expect(text(memo.get([key(1)]).get(key(1)))).toBe('one');
  memo.close();
});

test('a database that is none any more is moved aside, and said so', () => {
  const { folder } = project({});
  new Memo(folder).close();
  const path = join(folder, 'memo.db');
  const bytes = readFileSync(path);
  bytes.fill('x', 0, 2000);
  writeFileSync(path, bytes);
  const warnings: string[] = [];
  const memo = new Memo(folder, m => void warnings.push(m));
  expect(warnings).toEqual([expect.stringMatching(/are damaged .* will be asked for again; the file is kept as /)]);
  memo.put([[key(1), Buffer.from('one')]]);
  expect(memo.get([key(1)]).size).toBe(1);
  memo.close();
  expect(readdirSync(join(folder, 'quarantine')).length).toBeGreaterThan(0);
});

test('the answers that were used longest ago are forgotten first', () => {
  const { folder } = project({});
  const memo = new Memo(folder);
  for (const n of [1, 2, 3]) memo.put([[key(n), Buffer.from(`answer ${n}`)]]);
  const db = new DatabaseSync(join(folder, 'memo.db'));
  for (const n of [1, 2, 3]) db.prepare('UPDATE memo SET used = ? WHERE key = ?').run(n, Buffer.from(key(n), 'hex'));
  db.close();
  memo.get([key(1)]);
  memo.close();
  const next = new Memo(folder);
  expect(next.trim(150, true)).toBe(2);
  expect(next.size().answers).toBe(3);
  expect(next.trim(150)).toBe(2);
  expect([...next.get([1, 2, 3].map(key)).keys()]).toEqual([key(1)]);
  next.close();
});

/**
 * Whatever the data files hold, building them gives rows or messages, never a crash; and after any damage to them what an
 * incremental build gives is what a clean one gives.
 */
import '../rig/fine-grain.ts';
import { afterAll, expect, test } from 'vitest';
import { Pool } from '../../src/engine/pool.ts';
import { often, SEED, within } from '../rig/effort.ts';
import { Project } from '../rig/project.ts';
import { type Random, random } from '../rig/random.ts';
import { shared } from '../rig/shared-memory.ts';

const pool = new Pool(2);
afterAll(() => pool.terminate());

const recipe = (key: string) => `version: 1
sources:
  data:  { uses: files, with: { paths: "data/*", by: section, mostly: 0${key} } }
transforms:
  text:  { uses: plain-text, from: data, with: { mostly: 0 } }
  lines: { uses: sentences, from: text, with: { mostly: 0 } }
  last:  { uses: near-dedup, from: lines }
`;

const lines = (line: (i: number) => string, n: number) => Array.from({ length: n }, (_, i) => line(i)).join('\n');

const SOUND: Readonly<Record<string, string>> = {
  'data/a.jsonl': lines(
    i => JSON.stringify({ id: `r${i}`, text: `The pump ${i} stops after ${i % 7} hours.`, n: i }),
    30,
  ),
  'data/b.csv': `id,text\n${lines(i => `c${i},"The valve ${i}, in the ""house"",\nstops."`, 12)}\n`,
  'data/c.tsv': `id\ttext\n${lines(i => `t${i}\tThe pipe ${i} is closed.`, 8)}\n`,
  'data/d.md': `# One\n\nA sentence. Another one [here](x.md).\n\n## Two\n\n\`\`\`js\nlet x;\n\`\`\`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> Quoted.\n`,
  'data/e.html': `<!doctype html><html><head><title>T</title></head><body><main><h1>One</h1><p>A <b>bold</b> text &amp; more.</p><ul><li>x</ul></main></body></html>`,
  'data/f.txt': 'Plain text.\n\nOf two paragraphs.\n',
};

const PIECES: readonly string[] = [
  ...['\n', '\r\n', '\r', '\0', '\ufeff', '\u2028', '\ud800', '💥', '\x1b[31m', '\t', ' ', '"', "'", '\\', '\\u0000'],
  ...['{', '}', '[', ']', ',', ':', '{}', '[]', 'null', '{"text":1}', '{"text":""}', '{"text":"same"}', '{"id":"r1"}'],
  ...['{"__proto__":{"a":1},"text":"x"}', '{"a":1,"a":2}', '1e999', '-0', '"\\ud800"', '{"id":"../../x","text":"y"}'],
  ...[
    '<',
    '</p>',
    '<script>',
    '<![CDATA[',
    '<!--',
    '&#0;',
    '&#x110000;',
    '# ',
    '```',
    '|',
    '---\n',
    '[x](',
    '~~~',
    '    ',
  ],
  `{"text":"${'long '.repeat(600)}"}`,
  '['.repeat(3000),
  '<div>'.repeat(2000),
];

/** A few cuts, doublings and insertions, in bytes: what comes of it need not be UTF-8. */
const damaged = (content: Buffer, r: Random): Buffer => {
  let out = content;
  for (let n = 1 + r.below(4); n > 0; n--) {
    // Both ends are read otherwise than the middle.
    const at = r.pick([0, out.length, r.below(out.length + 1), r.below(out.length + 1)]);
    const to = Math.min(out.length, at + r.below(40));
    const piece = r.below(6) === 0 ? Buffer.from([128 + r.below(128), r.below(256)]) : Buffer.from(r.pick(PIECES));
    const [before, middle, after] = [out.subarray(0, at), out.subarray(at, to), out.subarray(to)];
    switch (r.below(4)) {
      case 0:
        out = Buffer.concat([before, after]);
        break;
      case 1:
        out = Buffer.concat([before, middle, middle, after]);
        break;
      case 2:
        out = Buffer.concat([before, piece, after]);
        break;
      default:
        out = Buffer.concat([before, piece, middle, after]);
    }
  }
  return out;
};

const STEPS = 5;

const build = async (p: Project) => {
  const { digests, events } = await p.buildHere({ pool, keepGoing: true });
  const failures = events.flatMap(e => (e.type === 'failed' ? [[e.node, e.failure.reason, e.failure.message]] : []));
  for (const [, reason, message] of failures) {
    expect(reason, message).not.toBe('stage-crashed');
    expect(message).not.toMatch(/undefined|\[object|is not a function|Cannot read prop|ERR_/);
  }
  return { digests, failures: failures.sort() };
};

test(
  `data files damaged again and again, seed ${SEED}`,
  async () => {
    for (let i = 0; i < often(40); i++) {
      const r = random(SEED + i);
      const key = r.below(4) === 0 ? ', key: id' : '';
      const p = new Project({ 'finetune.yaml': recipe(key), ...SOUND }, shared());
      const clean = new Project({ 'finetune.yaml': recipe(key) }, shared());
      try {
        await build(p);
        const now: Record<string, string | Buffer> = { ...SOUND };
        for (let step = 0; step < STEPS; step++) {
          const name = r.pick(Object.keys(SOUND));
          now[name] = r.below(5) === 0 ? SOUND[name]! : damaged(Buffer.from(now[name]!), r);
          p.write({ [name]: now[name] });
          const here = await build(p);
          if (step < STEPS - 1) continue;
          clean.write(now);
          expect(here).toEqual(await build(clean));
        }
      } catch (error) {
        (error as Error).message = `seed ${SEED + i}: ${(error as Error).message}`;
        throw error;
      } finally {
        p.remove();
        clean.remove();
      }
    }
  },
  within(30),
);

test('a byte-order mark is one at the beginning of a file only, wherever its line has been before', async () => {
  // Long enough for the file to be cut behind it, now and then.
  const before = (n: number) => JSON.stringify({ text: `The river ${n} runs and runs. `.repeat(14) });
  const marked = `\ufeff${SOUND['data/a.jsonl']}`;
  const p = new Project({ 'finetune.yaml': recipe('') }, shared());
  const clean = new Project({ 'finetune.yaml': recipe('') }, shared());
  try {
    for (let n = 1; n < 12; n++) {
      for (const content of [marked, `${before(n)}\n${marked}`, marked]) {
        const data = { 'data/a.jsonl': content };
        p.write(data);
        const here = await build(p);
        clean.write({ ...data, '.finetune': null });
        expect(here, `line ${n} before it`).toEqual(await build(clean));
      }
    }
  } finally {
    p.remove();
    clean.remove();
  }
});

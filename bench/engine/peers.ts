/**
 * The same graph, 1,000 nodes in 100 chains of ten over 10,000 files, each a `cat` of its files and of the node before, by
 * us and by our peers in one run on one machine:
 *
 *   node bench/engine/peers.ts [names…] [--runs 7] [--limit 600] [--chains 100] [--tools FOLDER]
 *
 * From scratch once each (three times where it is quick), then in turns: nothing to do, and one file changed (five nodes have to run
 * again). Peers that are not there are installed into the tools' folder; what takes longer than the limit is given up.
 */
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ChainNode, chainNodes, editOne, THOUSAND, writeFiles } from './chains.ts';
import { inSeconds, median, seconds } from './measure.ts';
import { compiled, ours } from './peers/ours.ts';
import type { Peer } from './peers/peer.ts';
import { findPeers } from './peers/tools.ts';

interface Measured {
  readonly peer: Peer;
  readonly folder: string;
  readonly scratch: (number | null)[];
  readonly idle: number[];
  readonly edit: number[];
}

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '7' },
    limit: { type: 'string', default: '600' },
    chains: { type: 'string', default: String(THOUSAND.chains) },
    tools: { type: 'string', default: join(tmpdir(), 'finetune-peers') },
  },
});
const runs = Number(values.runs);
const limit = Number(values.limit);
const nodes = chainNodes({ ...THOUSAND, chains: Number(values.chains) });
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const run = ({ peer, folder }: Measured): number | null =>
  seconds(peer.command, { cwd: folder, limit, ...(peer.env ? { env: peer.env } : {}) });

/** Every output where we can see it must be the text of all files before it. */
const check = ({ peer, folder }: Measured): void => {
  const expected = (node: ChainNode): string =>
    node.files.map(f => readFileSync(join(folder, f), 'utf8')).join('') + (node.before ? expected(node.before) : '');
  for (const node of nodes.filter(n => n.step === THOUSAND.length - 1)) {
    const output = peer.output(node);
    if (output !== null && readFileSync(join(folder, output), 'utf8') !== expected(node))
      throw new Error(`${peer.name}: ${node.name} is not what it should be`);
  }
};

const wipe = ({ peer, folder }: Measured): void => {
  for (const path of globSync([...peer.made], { cwd: folder }))
    rmSync(join(folder, path), { recursive: true, force: true });
};

const base = mkdtempSync(join(tmpdir(), 'finetune-chains-'));
try {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const tools = [
    ours(compiled(join(base, 'installed')), version),
    ...findPeers(values.tools, line => say(`not here: ${line}`)),
  ];
  const chosen = tools.filter(p => names.length === 0 || names.includes(p.name));
  const all = chosen.map((peer, i): Measured => {
    const folder = join(base, `${i}`);
    writeFiles(folder, nodes);
    peer.write(folder, nodes);
    return { peer, folder, scratch: [], idle: [], edit: [] };
  });

  for (let i = 0; i < 3; i++) {
    for (const m of all) {
      if (i > 0 && (m.scratch[0] === null || m.scratch[0]! > 20)) continue;
      wipe(m);
      const taken = run(m);
      m.scratch.push(taken);
      say(`${m.peer.name} from scratch: ${taken === null ? `given up after ${limit} s` : inSeconds(taken)}`);
      if (taken !== null) check(m);
    }
  }
  const done = all.filter(m => m.scratch[0] !== null);
  // Twice unmeasured: whoever writes down what was found does so here.
  for (let i = -2; i < runs; i++) {
    for (const m of done) {
      // Who takes long need not show it so often.
      if (i > 0 && median(m.idle) > 10) continue;
      const taken = run(m);
      if (taken !== null && i >= 0) m.idle.push(taken);
    }
  }
  for (let i = 0; i < Math.ceil(runs / 2); i++) {
    for (const m of done) {
      if (i > 0 && median(m.edit) > 10) continue;
      editOne(m.folder, nodes, `This is edit number ${i}.`);
      const taken = run(m);
      if (taken !== null) m.edit.push(taken);
      if (i === 0) check(m);
      say(`${m.peer.name}, one file changed: ${taken === null ? 'given up' : inSeconds(taken)}`);
    }
  }

  const cell = (all: readonly (number | null)[]): string =>
    all.length === 0 ? '-' : all.includes(null) ? `> ${limit} s` : inSeconds(median(all as readonly number[]));
  const node = median(Array.from({ length: runs }, () => seconds([process.execPath, '-e', '0'], { cwd: base })!));
  console.log(
    `| ${nodes.length.toLocaleString('en')} nodes, ${(nodes.length * THOUSAND.files).toLocaleString('en')} files | knows a file by | nothing to do | one file changed (5 nodes) | from scratch |\n|---|---|---|---|---|`,
  );
  for (const { peer, idle, edit, scratch } of all)
    console.log(
      `| ${peer.name} ${peer.version} | its ${peer.looks} | ${cell(idle)} | ${cell(edit)} | ${cell(scratch)} |`,
    );
  console.log(`| \`node -e 0\` ${process.versions.node} | | ${inSeconds(node)} | | |`);
  console.log(
    `\nMedians: nothing to do of ${runs} runs in turns, one file changed of ${Math.ceil(runs / 2)} (of one where it takes more than 10 s), from scratch of 3 (of one where it takes more than 20 s).`,
  );
} finally {
  rmSync(base, { recursive: true, force: true });
}

/**
 * A temporary project with a recipe and a store of its own, on which tests run the real command line as a child process,
 * or the engine in this one. No test sleeps: a stage of the test's own (`GATE`) ends a step when the test says so.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { BlobReader } from '../../cache/blob.ts';
import { decodeLineage } from '../../cache/dataset.ts';
import { rowsSource } from '../../src/engine/artifact.ts';
import { build } from '../../src/engine/build.ts';
import { type Engine, openEngine, selectNodes } from '../../src/engine/engine.ts';
import { Pool } from '../../src/engine/pool.ts';
import { readChunk } from '../../src/engine/reading.ts';
import type { BuildEvent, NodeState, NodeSummary } from '../../src/events.ts';
import type { GraphNode } from '../../src/load/graph.ts';
import type { Lineage, Row } from '../../stages/contract.ts';

export const BIN = fileURLToPath(new URL('../../bin/finetune.js', import.meta.url));

export type Files = Readonly<Record<string, string | Uint8Array | null>>;
type Summary = Extract<BuildEvent, { type: 'summary' }>;

/** How a run of the command line ended. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `build --json` that has ended. */
export interface Built extends Finished {
  readonly events: readonly BuildEvent[];
  readonly summary: Summary;
  /** State by node. */
  readonly states: Readonly<Record<string, NodeState>>;
  readonly nodes: Readonly<Record<string, NodeSummary>>;
  /** Reasons of all failures and mistakes, in order. */
  readonly reasons: readonly string[];
}

export interface Running {
  readonly process: ChildProcess;
  kill(signal: NodeJS.Signals): void;
  /** What it has written to stdout so far. */
  written(): string;
  readonly done: Promise<Finished>;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** A build in this process. */
export interface Here {
  readonly ok: boolean;
  readonly events: readonly BuildEvent[];
  readonly nodes: Readonly<Record<string, NodeSummary>>;
  readonly states: Readonly<Record<string, NodeState>>;
  /** Content digest by `node.output`. */
  readonly digests: Readonly<Record<string, string>>;
}

export class Project {
  readonly folder: string;

  constructor(files: Files, folder = realpathSync(mkdtempSync(join(tmpdir(), 'finetune-test-')))) {
    this.folder = folder;
    mkdirSync(join(folder, '.finetune'), { recursive: true });
    this.write(files);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes files; null removes one. */
  write(files: Files): void {
    for (const [name, content] of Object.entries(files)) {
      const path = this.path(name);
      if (content === null) rmSync(path, { recursive: true, force: true });
      else {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
      }
    }
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  /** Replaces a text that must stand in the file exactly once. */
  edit(name: string, from: string, to: string): void {
    const parts = this.read(name).split(from);
    if (parts.length !== 2) throw new Error(`"${from}" stands ${parts.length - 1} times in ${name}`);
    this.write({ [name]: parts.join(to) });
  }

  /** Names of all files below a folder of the project, sorted. */
  files(folder = '.'): string[] {
    if (!this.has(folder)) return [];
    return readdirSync(this.path(folder), { recursive: true, withFileTypes: true })
      .filter(e => e.isFile())
      .map(e => join(e.parentPath, e.name).slice(this.folder.length + 1))
      .sort();
  }

  /** Starts the command line. */
  start(args: readonly string[], { env = {}, cwd = this.folder }: RunOptions = {}): Running {
    const { PATH, HOME, TMPDIR } = process.env;
    const base = { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), LANG: 'C.UTF-8', TZ: 'UTC', NO_COLOR: '1' };
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd,
      env: { ...base, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text));
    const done = new Promise<Finished>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    return { process: child, kill: signal => void child.kill(signal), written: () => stdout, done };
  }

  run(args: readonly string[], options?: RunOptions): Promise<Finished> {
    return this.start(args, options).done;
  }

  /** `finetune build --json …`, its events parsed. */
  async build(args: readonly string[] = [], options?: RunOptions): Promise<Built> {
    return parsed(await this.run(['build', '--json', ...args], options));
  }

  startBuild(args: readonly string[] = [], options?: RunOptions): Running & { readonly built: Promise<Built> } {
    const running = this.start(['build', '--json', ...args], options);
    return { ...running, built: running.done.then(parsed) };
  }

  async open(set: readonly string[] = [], profiles: readonly string[] = []): Promise<Engine> {
    return openEngine({ recipe: this.path('finetune.yaml'), profiles, set, env: { ...process.env } });
  }

  /** Builds in this process. Throws FailureError for a recipe that is wrong. */
  async buildHere({
    jobs = 1,
    pool: lent,
    names = [],
    set = [],
    force = [],
    keepGoing = false,
    env = process.env,
    signal = new AbortController().signal,
    alter = n => n,
    onEvent = () => {},
  }: {
    readonly jobs?: number;
    /** Workers that are already there, and stay. */
    readonly pool?: Pool;
    readonly names?: readonly string[];
    readonly set?: readonly string[];
    readonly force?: readonly string[];
    readonly keepGoing?: boolean;
    readonly env?: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
    /** Puts stages of the test's own in place of the recipe's. */
    readonly alter?: (node: GraphNode) => GraphNode;
    readonly onEvent?: (event: BuildEvent) => void;
  } = {}): Promise<Here> {
    const { graph, store, records, files, project, close } = await this.open(set);
    const events: BuildEvent[] = [];
    const pool = lent ?? new Pool(jobs);
    try {
      const nodes = selectNodes(graph, names).map(alter);
      const { ok, nodes: done } = await build({
        graph,
        nodes,
        store,
        records,
        files,
        pool,
        jobs,
        env,
        keepGoing,
        signal,
        out: project.out,
        force: new Set(force),
        emit: e => {
          events.push(e);
          onEvent(e);
        },
      });
      const digests = events.flatMap(e =>
        e.type === 'done' ? Object.entries(e.outputs).map(([o, { digest }]) => [`${e.node}.${o}`, digest]) : [],
      );
      return { ok, events, ...byName(done), digests: Object.fromEntries(digests) };
    } finally {
      if (!lent) await pool.terminate();
      close();
    }
  }

  /** The rows of a node's last result, read in this process. */
  async rows(node: string, output = 'rows'): Promise<readonly Row[]> {
    return (await this.dataset(node, output)).chunks.flat();
  }

  async dataset(
    node: string,
    output = 'rows',
  ): Promise<{
    readonly chunks: readonly (readonly Row[])[];
    readonly digests: readonly string[];
    readonly lineage: readonly (Lineage | null)[];
  }> {
    const engine = await this.open();
    const reader = new BlobReader();
    try {
      const history = await engine.records.history(engine.graph.id, node);
      const record = history && (await engine.records.get(history.key));
      const stored = record?.outputs[output];
      if (stored?.type !== 'rows') throw new Error(`${node}.${output} holds no rows`);
      const source = rowsSource(engine.store, stored.digest);
      if (!source) throw new Error(`${node}.${output} is not whole`);
      const beside = stored.lineage === null ? null : rowsSource(engine.store, stored.lineage);
      return {
        chunks: source.chunks.map((_, i) => readChunk(reader, source, i)),
        digests: source.chunks.map(c => c.digest),
        lineage: beside?.chunks.flatMap(c => decodeLineage(reader.read(c))) ?? [],
      };
    } finally {
      reader.close();
      engine.close();
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A project that is removed when the test ends. */
export const project = (files: Files): Project => {
  const made = new Project(files);
  onTestFinished(() => made.remove());
  return made;
};

const byName = (nodes: readonly NodeSummary[]) => ({
  nodes: Object.fromEntries(nodes.map(n => [n.name, n])),
  states: Object.fromEntries(nodes.map(n => [n.name, n.state])),
});

/** Every line of stdout must be JSON, and the last one the summary. */
const parsed = (finished: Finished): Built => {
  const lines = finished.stdout.split('\n').slice(0, -1);
  const events = lines.map(line => {
    try {
      return JSON.parse(line) as BuildEvent;
    } catch {
      throw new Error(`not JSON: ${line}\n${finished.stderr}`);
    }
  });
  const summary = events.at(-1);
  if (summary?.type !== 'summary') {
    throw new Error(
      `no summary at the end (code ${finished.code}, ${finished.signal}):\n${finished.stdout}\n${finished.stderr}`,
    );
  }
  const failures = events.flatMap(e => (e.type === 'failed' ? [e.failure] : e.type === 'mistakes' ? e.failures : []));
  return { ...finished, events, summary, ...byName(summary.nodes), reasons: failures.map(f => f.reason) };
};

/** Resolves when the condition holds; a deadline only bounds a test that has gone wrong. */
export const until = async (what: string, condition: () => boolean, seconds = 30): Promise<void> => {
  for (const end = performance.now() + seconds * 1000; !condition(); ) {
    if (performance.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(5);
  }
};

/**
 * A row stage that passes rows on. It notes each call in `calls.txt`, writes `arrived`, and then waits while there is a
 * file `closed`: the test opens the gate by removing that file.
 */
export const GATE = `
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
const at = (name: string) => new URL(name, import.meta.url);
export const kind = 'rows';
export default async (fields: object, { id }: { id: string }) => {
  appendFileSync(at('calls.txt'), id + '\\n');
  writeFileSync(at('arrived'), '');
  while (existsSync(at('closed'))) await pause(5);
  return fields;
};
`;

/** Pages of a few sentences each, all different. */
export const pages = (count: number, sentences = 3): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `docs/${String(i).padStart(4, '0')}.md`,
      `# Page ${i}\n\n${Array.from({ length: sentences }, (_, j) => `This is sentence ${j} of the page with number ${i}.`).join(' ')}\n`,
    ]),
  );

/** Documents to sentences to pairs: one stage of each kind that the engine knows. */
export const RECIPE = `version: 1
sources:
  docs:   { uses: files, with: { paths: "docs/**/*.md" } }
transforms:
  text:   { uses: plain-text, from: docs }
  lines:  { uses: sentences, from: text }
  good:   { uses: filter, from: lines, with: { min: 10 } }
  pairs:  { uses: sentence-pairs, from: good, with: { instruction: { min: 5 }, response: { min: 5 } } }
  unique: { uses: dedup, from: pairs }
  split:  { uses: split, from: unique, with: { train: 0.5, eval: 0.5, by: row } }
`;

/** A build under `--trace`: runs commands and the user's stages under strace and refuses results that files nobody declared went into. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import type { InputFile } from '../../../stages/contract.ts';
import { type Failure, FailureError } from '../../failure.ts';
import type { GraphNode } from '../../load/graph.ts';
import type { Artifact } from '../artifact.ts';
import { type Opened, openedIn } from './opened.ts';
import { findTracer, type Tracer } from './strace.ts';
import { undeclared } from './undeclared.ts';

/** One run of one node. */
export interface TracedRun {
  /** Put before the command line of whatever it starts. */
  readonly tracer: readonly string[];
  /** Once all of it has ended. Throws FailureError `undeclared-input`. */
  check(given: Given): void;
  close(): void;
}

/** What the node may use. */
export interface Given {
  /** Folder of the store. */
  readonly store: string;
  readonly files: Readonly<Record<string, readonly InputFile[]>>;
  readonly inputs: Readonly<Record<string, readonly Artifact[]>>;
}

export interface Trace {
  begin(node: GraphNode): TracedRun;
  /** Of these nodes those that could have been looked at, but did not run. */
  missed(nodes: readonly GraphNode[]): readonly string[];
}

export interface TraceOptions {
  readonly project: string;
  /** Folder that names in messages are relative to: the recipe's. */
  readonly folder: string;
}

/** Throws FailureError `no-tracer`. */
export const openTrace = (options: TraceOptions): Trace => {
  const tracer = findTracer();
  const begun = new Set<string>();
  return {
    begin: node => {
      begun.add(node.name);
      return begin(node, tracer, options);
    },
    missed: nodes => nodes.filter(n => isForeign(n) && !begun.has(n.name)).map(n => n.name),
  };
};

const begin = (node: GraphNode, tracer: Tracer, { project, folder }: TraceOptions): TracedRun => {
  const traces = mkdtempSync(join(tmpdir(), 'finetune-trace-'));
  const isOwnCode = node.says !== undefined;
  const begun = Date.now();
  return {
    tracer: tracer(join(traces, 't')),
    check: ({ store, files, inputs }) => {
      const opened = readdirSync(traces).flatMap(name => openedIn(readFileSync(join(traces, name), 'utf8'), traces));
      const models = Object.values(inputs).flatMap(given => given.flatMap(a => (a.type === 'model' ? [a.folder] : [])));
      const paths = Object.values(files).flatMap(given => given.map(f => f.path));
      const found = undeclared(opened, {
        project,
        folders: [store, ...models],
        files: [...paths, ...Object.keys(node.code)],
        isOwnCode,
        begun,
      });
      if (found.length > 0) throw new FailureError([failure(node, found, folder)]);
    },
    close: () => rmSync(traces, { recursive: true, force: true }),
  };
};

/** Runs what is not ours. */
const isForeign = ({ says, stage }: GraphNode): boolean => says !== undefined || stage.endsWith('/command');

const VERBS: Readonly<Record<Opened['how'], string>> = { read: 'reads', list: 'lists', write: 'writes', run: 'runs' };
const MOST = 10;

const failure = (node: GraphNode, found: readonly Opened[], folder: string): Failure => {
  const shown = found.map(({ path, how }) => {
    const name = relative(folder, path);
    return `\n  ${VERBS[how]} ${(name.startsWith(`..${sep}..`) ? path : name) || '.'}`;
  });
  const more = found.length > MOST ? `\n  and ${found.length - MOST} more` : '';
  return {
    reason: 'undeclared-input',
    message: `${node.name} uses what it does not declare, so its result depends on more than its key says and is not recorded:${shown.slice(0, MOST).join('')}${more}`,
    advice: advice(node, found),
    place: node.place,
  };
};

const advice = (node: GraphNode, found: readonly Opened[]): string => {
  if (found.every(o => o.how === 'write')) {
    return node.says
      ? 'what it makes is what it returns'
      : 'what it makes goes to $OUT; for scratch it has its working folder';
  }
  return node.says
    ? 'declare what it reads by an option that its schema marks "files": it is then in the working folder, under its name'
    : 'declare what it reads under `files`: it is then in the working folder, under its name';
};

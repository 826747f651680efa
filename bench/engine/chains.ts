/**
 * The graph that we and our peers are measured on: chains of nodes, each of which is a `cat` of its own files and of the
 * output of the node before it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ChainNode {
  /** `c3n4` */
  readonly name: string;
  readonly chain: number;
  readonly step: number;
  /** Paths of its files, which are all that is in `folder`. */
  readonly files: readonly string[];
  readonly folder: string;
  /** Null for the first of a chain. */
  readonly before: ChainNode | null;
}

export interface Shape {
  readonly chains: number;
  readonly length: number;
  readonly files: number;
}

/** 1,000 nodes, 10,000 files. */
export const THOUSAND: Shape = { chains: 100, length: 10, files: 10 };

export const chainNodes = ({ chains, length, files }: Shape): ChainNode[] => {
  const out: ChainNode[] = [];
  for (let chain = 0; chain < chains; chain++) {
    for (let step = 0; step < length; step++) {
      const folder = `in/${chain}/${step}`;
      out.push({
        name: `c${chain}n${step}`,
        chain,
        step,
        folder,
        files: Array.from({ length: files }, (_, i) => `${folder}/${i}.txt`),
        before: step === 0 ? null : out.at(-1)!,
      });
    }
  }
  return out;
};

export const writeFiles = (folder: string, nodes: readonly ChainNode[]): void => {
  for (const node of nodes) {
    mkdirSync(join(folder, node.folder), { recursive: true });
    for (const file of node.files)
      writeFileSync(join(folder, file), `This is ${file}, one of the files of ${node.name}.\n`);
  }
};

/** Changes one file in the middle: every node from its own to the end of its chain has to run again. */
export const editOne = (folder: string, nodes: readonly ChainNode[], text: string): void => {
  const node = nodes[nodes.length >> 1]!;
  const middle = nodes.find(n => n.chain === node.chain && n.step === 5) ?? node;
  writeFileSync(join(folder, middle.files[0]!), `${text}\n`);
};

/** The same graph as a recipe. */
export const recipeOf = (nodes: readonly ChainNode[]): string => {
  const line = ({ name, folder, before }: ChainNode): string =>
    `  ${name}: { uses: command, ${before ? `from: ${before.name}, ` : ''}with: { files: "${folder}/*", run: "cat ${folder}/*${before ? ' $IN/out' : ''} > $OUT/out" } }\n`;
  return `version: 1\nsources:\n${nodes
    .filter(n => !n.before)
    .map(line)
    .join('')}transforms:\n${nodes
    .filter(n => n.before)
    .map(line)
    .join('')}`;
};

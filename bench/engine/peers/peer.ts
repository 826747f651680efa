/** What is known of a build tool that does our graph. */
import type { ChainNode } from '../chains.ts';

export interface Peer {
  readonly name: string;
  /** By what it knows that a file is as it was. */
  readonly looks: 'times' | 'content';
  readonly version: string;
  /** Writes what describes the graph, beside the files. */
  write(folder: string, nodes: readonly ChainNode[]): void;
  /** Brings all of it up to date, in that folder. */
  readonly command: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** What of the folder has to go for a build from scratch. */
  readonly made: readonly string[];
  /** Where a node's output lies, for checking; null where only the tool can tell. */
  output(node: ChainNode): string | null;
}

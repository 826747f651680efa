/**
 * What nodes share while they work: cores, GPUs, memory. A node that needs several waits for its GPUs first, then for
 * memory, then for cores, and keeps what it has: an order that all follow cannot end in a deadlock, each line is first
 * come, first served, so that nobody starves, and who waits for a GPU keeps no core from the others.
 */
import { type Failure, FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { Line } from './line.ts';
import { inBytes, type Machine } from './machine.ts';

/** What a node has been given. */
export interface Grant {
  readonly threads: number;
  /** As CUDA_VISIBLE_DEVICES names them; null where the node asked for none, and nothing is kept from it. */
  readonly gpus: readonly string[] | null;
  release(): void;
}

interface Ask {
  readonly cpu: number;
  readonly gpu: number;
  readonly memory: number;
}

/**
 * A node that asks for a GPU and not for cores needs one to feed it: `threads: all` is meant for work on the cores. One that
 * waits for answers from elsewhere needs none.
 */
const askOf = ({ resources, threads, elsewhere }: GraphNode, { cpu: all }: Machine): Ask => {
  const { cpu, gpu = 0, memory = 0 } = resources ?? {};
  const cores = cpu ?? (threads === 'all' && gpu === 0 ? 'all' : elsewhere ? 0 : 1);
  return { cpu: cores === 'all' ? all : cores, gpu, memory };
};

/** Why this machine can never run a node, or null. GPUs are looked for only when a node asks for one. */
export const notEnough = (node: GraphNode, machine: Machine): Failure | null => {
  const ask = askOf(node, machine);
  const told = (message: string, advice: string): Failure => ({
    reason: 'not-enough-resources',
    message: `${node.name} asks for ${message}`,
    advice,
    place: node.resources?.place ?? node.place,
  });
  const set = `--set ${node.section}.${node.variant?.of ?? node.name}.resources`;
  if (ask.cpu > machine.cpu)
    return told(
      `${ask.cpu} cores; there are ${machine.cpu} for this build`,
      `build with --jobs ${ask.cpu}, or ask for fewer: ${set}.cpu=${machine.cpu}`,
    );
  if (ask.memory > machine.memory)
    return told(
      `${inBytes(ask.memory)} of memory; this machine has ${inBytes(machine.memory)}`,
      `ask for less: ${set}.memory=${inBytes(machine.memory)}`,
    );
  const gpus = ask.gpu === 0 ? 0 : machine.gpus().length;
  if (ask.gpu <= gpus) return null;
  const there = gpus === 0 ? 'none was found' : `there ${gpus === 1 ? 'is 1' : `are ${gpus}`}`;
  return told(
    `${ask.gpu === 1 ? 'a GPU' : `${ask.gpu} GPUs`}; ${there}`,
    `where there are more than were found, say how many: FINETUNE_GPUS=${ask.gpu}; or ask for ${gpus === 0 ? 'none' : 'fewer'}: ${set}.gpu=${gpus}`,
  );
};

/** The slots as one node sees them. */
export interface NodeSlots {
  /** Waits for what the node asks for. */
  grant(signal: AbortSignal): Promise<Grant>;
}

export class Slots {
  readonly #machine: Machine;
  readonly #cpu: Line<number>;
  readonly #memory: Line<number>;
  #gpus: Line<string> | null = null;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#cpu = Line.ofAmount(machine.cpu);
    this.#memory = Line.ofAmount(machine.memory);
  }

  of(node: GraphNode): NodeSlots {
    return { grant: signal => this.take(node, signal) };
  }

  /** Waits for what a node asks for. Rejects when `signal` aborts first, and when there can never be so much. */
  async take(node: GraphNode, signal: AbortSignal): Promise<Grant> {
    const failure = notEnough(node, this.#machine);
    if (failure) throw new FailureError([failure]);
    const { cpu, gpu, memory } = askOf(node, this.#machine);
    const held: (() => void)[] = [];
    const release = (): void => {
      for (const free of held.splice(0)) free();
    };
    try {
      let gpus: readonly string[] | null = null;
      if (gpu > 0) {
        this.#gpus ??= Line.ofThings(this.#machine.gpus());
        const some = await this.#gpus.take(gpu, signal);
        held.push(some.release);
        gpus = some.taken;
      }
      if (memory > 0) held.push((await this.#memory.take(memory, signal)).release);
      if (cpu > 0) held.push((await this.#cpu.take(cpu, signal)).release);
      return { threads: cpu, gpus, release };
    } catch (error) {
      release();
      throw error;
    }
  }
}

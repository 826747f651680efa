/** What a node asks of the machine while it runs: cores, GPUs, memory. Never part of its key. */
import type { Failure, Place } from '../failure.ts';
import { RESOURCES, type ResourceOptions } from '../stages.ts';
import { check } from './check.ts';
import type { Path, Value } from './value.ts';

export interface Resources {
  readonly cpu?: number | 'all';
  readonly gpu?: number;
  /** Bytes. */
  readonly memory?: number;
  readonly place: Place;
}

export interface ResourcesContext {
  /** The node, for messages. */
  readonly of: string;
  readonly at: Path;
  place(path: Path, key?: boolean): Place;
  fail(failure: Failure): void;
}

/** Null when neither the node nor its stage asks for anything. The node's own words replace the stage's, each by itself. */
export const readResources = (
  given: Value,
  byDefault: ResourceOptions | undefined,
  { of, at, place, fail }: ResourcesContext,
): Resources | null => {
  if (given === null && byDefault === undefined) return null;
  const wrong = given === null ? [] : check(RESOURCES, given, { path: at, of: `resources of ${of}`, place });
  wrong.forEach(fail);
  if (wrong.length > 0) return null;
  const { memory, ...rest } = { ...byDefault, ...(given as ResourceOptions | null) };
  return { ...rest, ...(memory === undefined ? {} : { memory: bytesOf(memory) }), place: place(at, true) };
};

const UNITS: Readonly<Record<string, number>> = {
  ...{ B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
};

/** "8GB", "512 MiB" */
export const bytesOf = (size: string): number => {
  const [, number, unit] = /^([\d.]+) *(\w+)$/.exec(size)!;
  return Math.round(Number(number) * UNITS[unit!]!);
};

/** What of a node belongs into the lock file: inputs that git does not hold, facts of the environment, results made only once. */
import { sep } from 'node:path';
import { canonical, digest } from '../../../cache/digest.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import type { InputFile } from '../../../stages/contract.ts';
import type { GraphNode } from '../../load/graph.ts';
import { keyName } from '../inputs.ts';
import type { LockEntry } from './lock-file.ts';

export type Pins = LockEntry['pins'];

type FilesByOption = Readonly<Record<string, readonly InputFile[]>>;

/** Whether running the node again could give something else: a training, or what gets its data, or its answers, from elsewhere. */
export const pinsResult = (node: GraphNode): boolean =>
  node.section === 'trainer' || node.elsewhere === true || (node.section === 'sources' && node.files.length === 0);

/** Paths of all files whose content the node's key holds: those of its options, and of its user's code. */
export const pathsOf = (node: GraphNode, files: FilesByOption): string[] => [
  ...Object.values(files).flatMap(list => list.map(f => f.path)),
  ...codePaths(node),
];

/** `held` says which paths git has. */
export const inputPins = (node: GraphNode, files: FilesByOption, held: (path: string) => boolean): Pins => {
  const pins: Record<string, string> = {};
  for (const option of node.files) {
    const loose = (files[option.option] ?? []).filter(f => !held(f.path));
    if (loose.length === 0) continue;
    pins[`files.${option.option}`] = `${treeDigest(loose.map(f => [keyName(option, f), f.digest]))}/${loose.length}`;
  }
  if (typeof node.version === 'string' && codePaths(node).some(p => !held(p))) pins.code = node.version;
  for (const [name, value] of Object.entries(node.environment ?? {})) pins[`env.${name}`] = value;
  return pins;
};

export const treeDigest = (files: readonly (readonly [name: string, digest: string])[]): string =>
  digest(canonical(Object.fromEntries(files)));

export const resultPins = (record: NodeRecord): Pins => ({
  ...Object.fromEntries(
    Object.entries(record.outputs).flatMap(([name, o]) => (o.digest === '' ? [] : [[`result.${name}`, o.digest]])),
  ),
  ...Object.fromEntries(Object.entries(record.origins ?? {}).map(([name, meaning]) => [`from.${name}`, meaning])),
  seconds: String(Math.round(record.seconds)),
});

/** Pins that follow from a run, and not from what it was given. */
export const isOfResult = (pin: string): boolean => /^(?:result\.|from\.|seconds$)/.test(pin);

/** What names from elsewhere meant when this was pinned: who knows that can have it again. */
export const originsIn = (pins: Pins): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(pins).flatMap(([pin, value]) =>
      pin.startsWith('from.') ? [[pin.slice('from.'.length), value]] : [],
    ),
  );

/** Whether the record's outputs are those that are pinned. */
export const isPinned = (record: NodeRecord, pins: Pins): boolean =>
  Object.entries(pins).every(
    ([pin, value]) => !pin.startsWith('result.') || record.outputs[pin.slice('result.'.length)]?.digest === value,
  );

/** Installed packages are named in the environment, by version. */
const codePaths = (node: GraphNode): string[] =>
  Object.keys(node.code).filter(p => !p.split(sep).includes('node_modules'));

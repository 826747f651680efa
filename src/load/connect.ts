/** Joins the entries of a recipe into a graph: references resolved, types matched, cycles named, order found. */
import type { Failure, Place } from '../failure.ts';
import type { ArtifactType, Port } from '../stages.ts';
import { anyInputs } from './any-inputs.ts';
import type { GraphNode, Reference } from './graph.ts';
import type { Scalar } from './matrix.ts';
import type { Draft } from './node.ts';
import { defaultOutput, outputsOf } from './outputs.ts';
import { parseReference } from './selection.ts';
import { sort } from './sort.ts';
import { stageEnvironment } from './stage-environment.ts';
import { didYouMean, nearest } from './suggest.ts';
import type { Path, Value } from './value.ts';

type Fail = (failure: Failure) => void;
type PlaceOf = (path: Path, key?: boolean) => Place;

/** Looking for the nearest of thousands of names, thousands of times, would take minutes. */
const MOST_HINTS = 100;
const hinted = new WeakMap<object, number>();

/** The failure of a reference to a node that no section has, or null. */
export const unknownNode = (node: string, names: ReadonlyMap<string, string>, place: Place): Failure | null => {
  if (names.has(node)) return null;
  const before = hinted.get(names) ?? 0;
  hinted.set(names, before + 1);
  const hint = before < MOST_HINTS ? didYouMean(node, [...names.keys()]) : '';
  return { reason: 'unknown-reference', message: `there is no node "${node}"${hint}`, place };
};

/** `names` are all entries of the recipe, those included that had mistakes of their own (no follow-up mistakes then). */
export const connect = (
  drafts: readonly Draft[],
  names: ReadonlyMap<string, string>,
  place: PlaceOf,
  fail: Fail,
): GraphNode[] => {
  const outputs = new Map(drafts.map(d => [d.name, outputsOf(d.schema.stage, d.options)]));
  const defaults = new Map(drafts.map(d => [d.name, defaultOutput(d.schema.stage, d.options)]));

  /**
   * What a reference means to a variant: several nodes where it collects, none where there is a mistake. No port: anything
   * will do.
   */
  const resolveReference = (draft: Draft, text: Value, at: Path, port: Port | null): Reference[] => {
    if (typeof text !== 'string') {
      fail({
        reason: 'wrong-type',
        message: `a reference is the name of a node, or node.output${Array.isArray(text) ? '; this input takes no list' : ''}`,
        place: place(at),
      });
      return [];
    }
    const { node: name, output: said } = parseReference(text);
    const unknown = unknownNode(name, names, place(at));
    if (unknown) {
      fail(unknown);
      return [];
    }
    const target = draft.variant.targets.get(text) ?? { nodes: [name], output: said };
    if (target.nodes.length > 1 && !port?.list) {
      fail({
        reason: 'wrong-type',
        message: `${text} collects ${target.nodes.length} variants of ${name}, but this input takes one`,
        place: place(at),
      });
      return [];
    }
    const found = target.nodes.map(node => resolveOutput({ node, name, output: target.output, text, at, port }));
    return found.filter(r => r !== null);
  };

  const resolveOutput = ({ node, name, output: said, text, at, port }: Asked): Reference | null => {
    const known = outputs.get(node);
    if (!known) return null;
    const output = said ?? defaults.get(node) ?? null;
    if (output === null) {
      fail({
        reason: 'unknown-output',
        message: `${name} has no default output: say which, ${Object.keys(known)
          .map(o => `${text}.${o}`)
          .join(' or ')}`,
        place: place(at),
      });
      return null;
    }
    const type = Object.hasOwn(known, output) ? known[output] : undefined;
    if (!type) {
      fail({
        reason: 'unknown-output',
        message: `${name} has no output "${output}"${didYouMean(output, Object.keys(known))}`,
        place: place(at),
      });
      return null;
    }
    if (port && type !== port.type) {
      const fitting = Object.entries(known).find(([, t]) => t === port.type)?.[0];
      fail({
        reason: 'wrong-type',
        message: `${text} is ${WORDS[type]}, but this input takes ${WORDS[port.type]}${fitting ? `; ${name}.${fitting} is one` : ''}`,
        place: place(at),
      });
      return null;
    }
    return { node, output };
  };

  const inputsOf = (draft: Draft): GraphNode['inputs'] => {
    const ports = draft.schema.stage.inputs;
    const at: Path = [draft.section, draft.entry.name, 'from'];
    const { from } = draft.variant;
    const { anyInputs: any } = draft.schema.stage;
    if (any) {
      const [port, bare] = any === true ? [null, 'in'] : [{ type: any.type }, any.bare];
      const resolve = (value: Value, path: Path) => resolveReference(draft, value, path, port);
      if (port && (from === undefined || from === null)) missing(draft, '"from"', port);
      const typeOf = (r: Reference) => outputs.get(r.node)![r.output]!;
      return anyInputs({ from, bare, inEnvironment: any === true, at, place, fail, resolve, typeOf });
    }
    const inputs: Record<string, { port: Port; from: Reference[] }> = {};
    const bind = (name: string, value: Value, path: Path): void => {
      const port = ports[name]!;
      const list = Array.isArray(value) && port.list === true;
      const references = (list ? (value as Value[]) : [value]).map((v, i) =>
        resolveReference(draft, v, list ? [...path, i] : path, port),
      );
      inputs[name] = { port, from: references.flat() };
    };
    const first = Object.keys(ports)[0];
    if (from === undefined || from === null) {
      // told below
    } else if (first === undefined) {
      fail({ reason: 'unknown-key', message: `${draft.uses} takes no input`, place: place(at, true) });
    } else if (typeof from === 'object' && !Array.isArray(from)) {
      for (const [name, value] of Object.entries(from)) {
        if (Object.hasOwn(ports, name)) bind(name, value, [...at, name]);
        else
          fail({
            reason: 'unknown-key',
            message: `${draft.uses} has no input "${name}"${didYouMean(name, Object.keys(ports))}`,
            place: place([...at, name], true),
            ...(name.includes('=')
              ? { advice: 'inside { } a choice of variants is quoted: "adapter@r=8,lr=0.1"' }
              : {}),
          });
      }
    } else {
      bind(first, from, at);
    }
    for (const [name, port] of Object.entries(ports)) {
      if (port.optional || inputs[name]) continue;
      const near =
        typeof from === 'object' && from !== null && Object.keys(from).find(k => !ports[k] && nearest(k, [name]));
      if (near) continue;
      missing(draft, Object.keys(ports).length === 1 ? '"from"' : `"from.${name}"`, port);
    }
    return inputs;
  };

  const missing = (draft: Draft, what: string, port: Port): void =>
    fail({
      reason: 'missing-input',
      message: `${draft.entry.name} needs ${what}: ${WORDS[port.type]}`,
      place: place([draft.section, draft.entry.name], true),
    });

  const nodes = drafts.map((d): GraphNode => {
    const own = stageEnvironment(d.schema, d.options);
    const environment = own?.environment ?? d.environment;
    return {
      name: d.name,
      section: d.section,
      uses: d.uses,
      stage: d.stage,
      module: d.module,
      version: d.version,
      ...(environment ? { environment } : {}),
      ...(d.says ? { says: d.says } : {}),
      code: own ? { ...d.code, ...own.code } : d.code,
      options: d.options,
      ...(d.unkeyed.length > 0 ? { unkeyed: d.unkeyed } : {}),
      ...(d.elsewhere ? { elsewhere: true } : {}),
      files: d.files,
      inputs: inputsOf(d),
      outputs: outputs.get(d.name)!,
      defaultOutput: defaults.get(d.name) ?? null,
      threads: d.schema.stage.threads === 'all' ? 'all' : 'one',
      mostly: d.mostly,
      ...(d.resources ? { resources: d.resources } : {}),
      ...(d.variant.point.size > 0 ? { variant: { of: d.entry.name, axes: axesOf(d) } } : {}),
      place: place([d.section, d.entry.name], true),
    };
  });
  return sort(nodes, place, fail);
};

interface Asked {
  readonly node: string;
  /** As the recipe calls it. */
  readonly name: string;
  readonly output: string | null;
  readonly text: string;
  readonly at: Path;
  readonly port: Port | null;
}

const axesOf = ({ variant }: Draft): Record<string, Scalar> =>
  Object.fromEntries([...variant.point].map(([axis, { value }]) => [axis, value]));

const WORDS: Record<ArtifactType, string> = {
  rows: 'rows',
  model: 'a model',
  tree: 'a folder of files',
  metrics: 'metrics',
};

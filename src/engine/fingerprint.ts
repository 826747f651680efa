/** A node's fingerprint: the readable document of everything that its result depends on, whose hash is the key. */
import { canonical, digest } from '../../cache/digest.ts';
import type { InputFile } from '../../stages/contract.ts';
import type { GraphNode } from '../load/graph.ts';
import { isSecret } from '../load/interpolate.ts';
import type { Artifact } from './artifact.ts';
import { keyName, listNames } from './inputs.ts';

/** Raised when keys or formats change for all stages at once. */
export const FORMAT = 2;

export interface Fingerprint {
  /** Canonical JSON. */
  readonly document: string;
  readonly key: string;
}

/** `inputs` holds the artifacts of each port, in the order of the references. */
export const fingerprint = (
  node: GraphNode,
  files: Readonly<Record<string, readonly InputFile[]>>,
  inputs: Readonly<Record<string, readonly Artifact[]>>,
): Fingerprint => {
  const fileOptions = new Set(node.files.map(f => f.option));
  const roots = new Set(node.files.map(f => f.root).filter(r => r !== undefined));
  const options = Object.fromEntries(
    Object.entries(node.options)
      .filter(
        ([name, value]) =>
          !fileOptions.has(name) &&
          !node.unkeyed?.includes(name) &&
          !(typeof value === 'string' && name === 'root' && roots.has(value)),
      )
      .map(([name, value]) => [name, withoutSecrets(value)]),
  );
  const document = canonical({
    format: FORMAT,
    stage: node.stage,
    version: node.version,
    environment: node.environment,
    options,
    files: Object.fromEntries(
      node.files.map(f => [
        f.option,
        Object.fromEntries((files[f.option] ?? []).map(file => [keyName(f, file), file.digest])),
      ]),
    ),
    inputs: Object.fromEntries(
      Object.entries(node.inputs).map(
        ([
          port,
          {
            port: { files: read, list },
            from,
          },
        ]) => {
          const parts = (inputs[port] ?? []).map(a =>
            a.type === 'model' && read ? filesRead(a.files, read) : a.digest,
          );
          // In a list, ids are prefixed by the input's name: so it is part of the result.
          return [port, list ? parts.map((p, i) => ({ name: listNames(from)[i]!, content: p })) : parts[0]];
        },
      ),
    ),
  });
  return { document, key: digest(document) };
};

const withoutSecrets = (value: unknown): unknown => {
  if (isSecret(value)) return { secret: true };
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withoutSecrets(v)]));
};

/** The digests of those files of a model that a stage says it reads: names, or patterns with "*". */
const filesRead = (files: Readonly<Record<string, string>>, read: readonly string[]): Record<string, string> => {
  const patterns = read.map(r => new RegExp(`^${r.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`));
  return Object.fromEntries(Object.entries(files).filter(([name]) => patterns.some(p => p.test(name))));
};

/** One difference between two documents, in words. */
export interface Difference {
  /** `options.min`, `files.paths.docs/a.md`, `inputs.rows`, `environment.node`, `stage`, `version`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What differs, the parts that people change first: stage, version, environment, options, files, inputs. */
export const differences = (before: string, after: string): Difference[] => {
  const a = JSON.parse(before) as Record<string, unknown>;
  const b = JSON.parse(after) as Record<string, unknown>;
  const out: Difference[] = [];
  for (const part of ['format', 'stage', 'version', 'environment', 'options', 'files', 'inputs'])
    compare(part, a[part], b[part], out);
  return out;
};

const compare = (path: string, a: unknown, b: unknown, out: Difference[]): void => {
  if (isMap(a) && isMap(b)) {
    for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort())
      compare(`${path}.${key}`, a[key], b[key], out);
  } else if (canonical(a) !== canonical(b)) out.push({ path, before: a, after: b });
};

const isMap = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

/** "option min: 20 -> 30", "docs/a.md changed", "input rows changed", "stage version 1 -> 2". */
export const inWords = ({ path, before, after }: Difference): string => {
  const [part, name] = [path.split('.')[0]!, path.slice(path.indexOf('.') + 1)];
  const value = (v: unknown) => (v === undefined ? 'not set' : shorten(JSON.stringify(v)));
  const verb = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  switch (part) {
    case 'options':
      return `option ${name}: ${value(before)} -> ${value(after)}`;
    case 'files': {
      const file = name.slice(name.indexOf('.') + 1);
      return /^(\.\w+)?$/.test(file) ? `file of ${name.split('.')[0]} ${verb}` : `${file} ${verb}`;
    }
    case 'inputs':
      return `input ${name} ${verb}`;
    case 'environment':
      return `${name}: ${before === undefined ? 'not there' : before} -> ${after === undefined ? 'not there' : after}`;
    case 'version':
      return typeof after === 'string' ? 'its code changed' : `stage version ${value(before)} -> ${value(after)}`;
    case 'stage':
      return `stage ${value(before)} -> ${value(after)}`;
    default:
      return 'made by another version of finetune';
  }
};

const shorten = (text: string): string => (text.length > 40 ? `${text.slice(0, 37)}...` : text);

/** Parses YAML into plain values that remember where each stands; the only module that imports `yaml`. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Failure, Place } from '../failure.ts';
import type { Map_, Path, Value } from './value.ts';

/** Where a value and, in a map, its key stand: offsets in the text. */
interface Span {
  readonly value: readonly [start: number, end: number];
  readonly key?: readonly [start: number, end: number];
}

export interface Source {
  readonly value: Value;
  readonly failures: readonly Failure[];
  /** Place of the value at a path such as ['transforms', 'pairs', 'with']; of its key with `key`. The nearest ancestor's if it has none. */
  place(path: Path, key?: boolean): Place;
}

/** A recipe of 10,000 nodes has some 150,000 values; aliases that multiply beyond this are a bomb or a mistake. */
const MOST_VALUES = 500_000;
const DEEPEST = 100;

/** `path` is only for messages. Duplicate keys, unresolved aliases, and aliases that explode are failures. */
export const parseYaml = (text: string, path: string): Source => {
  const lines = new LineCounter();
  // uniqueKeys compares all pairs of keys: quadratic. We check them below in one pass.
  const doc = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    keepSourceTokens: false,
  });
  const spans = new Map<string, Span>();
  const failures: Failure[] = [];

  const placeOf = (start: number, end: number): Place => {
    const { line, col } = lines.linePos(Math.min(start, text.length));
    const from = lines.lineStarts[line - 1] ?? 0;
    const to = text.indexOf('\n', from);
    const source = text.slice(from, to === -1 ? text.length : to).replace(/\r$/, '');
    const length = Math.max(1, Math.min(end, from + source.length) - start);
    return { path, line, column: col, length, source };
  };

  // What follows the first syntax error is the parser's confusion, not the user's mistakes.
  for (const e of doc.errors.slice(0, 1)) {
    const place = placeOf(e.pos[0], e.pos[1]);
    const unquoted = /\{.*[^"'$]\$\{/.test(place.source ?? '') && /\{[^"']*: *\$\{/.test(place.source ?? '');
    const advice = unquoted ? { advice: 'inside { } an interpolation is quoted: seed: "${vars.seed}"' } : {};
    failures.push({ reason: 'yaml-syntax', message: tidy(e.message), place, ...advice });
  }

  // The library looks for an alias's anchor from the top each time: quadratic. An anchor stands before its aliases.
  const anchors = new Map<string, Node>();
  let values = 0;
  let exploded = false;
  const key = (p: Path) => JSON.stringify(p);

  const convert = (node: Node | null, p: (string | number)[], inAlias: boolean): Value => {
    if (++values > MOST_VALUES || p.length > DEEPEST) {
      if (!exploded) {
        const [start, end] = node?.range ?? [0, 0];
        failures.push({
          reason: 'yaml-too-large',
          message:
            p.length > DEEPEST
              ? `nested more than ${DEEPEST} levels deep`
              : `more than ${MOST_VALUES} values: aliases that multiply?`,
          place: placeOf(start, end),
        });
      }
      exploded = true;
      return null;
    }
    if (exploded || node === null) return null;
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (!target) {
        const [start, end] = node.range ?? [0, 0];
        failures.push({
          reason: 'yaml-syntax',
          message: `"*${node.source}" refers to an anchor that is not above it`,
          place: placeOf(start, end),
        });
        return null;
      }
      return convert(target, p, true);
    }
    if (node.anchor && !inAlias) anchors.set(node.anchor, node);
    const range = node.range;
    if (range && !inAlias && !spans.has(key(p))) spans.set(key(p), { value: [range[0], range[1]] });
    if (isMap(node)) {
      const out: Map_ = Object.create(null);
      const seen = new Map<string, number>();
      for (const pair of node.items as Pair<Node | null, Node | null>[]) {
        if (isScalar(pair.key) && pair.key.anchor && !inAlias) anchors.set(pair.key.anchor, pair.key);
        const k = isScalar(pair.key) ? String(pair.key.value) : null;
        const at = pair.key?.range ?? range ?? [0, 0];
        if (k === null) {
          failures.push({ reason: 'wrong-type', message: 'a key must be a plain name', place: placeOf(at[0], at[1]) });
          continue;
        }
        const first = seen.get(k);
        if (first !== undefined) {
          const { line, col } = lines.linePos(first);
          const isNode = p.length === 1;
          failures.push({
            reason: isNode ? 'duplicate-name' : 'duplicate-key',
            message: `${isNode ? `the name "${k}" is taken: a node of that name stands` : `the key "${k}" stands here twice: the first`} at line ${line}, column ${col}`,
            place: placeOf(at[0], at[1]),
          });
          continue;
        }
        seen.set(k, at[0]);
        const inner = [...p, k];
        const v = pair.value?.range;
        if (!inAlias) spans.set(key(inner), { key: [at[0], at[1]], value: v ? [v[0], v[1]] : [at[0], at[1]] });
        out[k] = convert(pair.value, inner, inAlias);
      }
      return out;
    }
    if (isSeq(node)) return (node.items as (Node | null)[]).map((item, i) => convert(item, [...p, i], inAlias));
    if (isScalar(node)) {
      const v = node.value;
      if (v === null || typeof v === 'string' || typeof v === 'boolean') return v;
      if (typeof v === 'number' && Number.isFinite(v)) return v;
      if (typeof v === 'bigint') return Number(v);
      failures.push({
        reason: 'wrong-type',
        message: `${String(v)} is not a value that JSON has`,
        place: placeOf(range?.[0] ?? 0, range?.[1] ?? 0),
      });
    }
    return null;
  };
  const value = doc.errors.length > 0 ? null : convert(doc.contents as Node | null, [], false);

  const place = (p: Path, ofKey = false): Place => {
    for (let n = p.length; n >= 0; n--) {
      const span = spans.get(key(p.slice(0, n)));
      if (!span) continue;
      const [start, end] = (ofKey || n < p.length) && span.key ? span.key : span.value;
      return placeOf(start, end);
    }
    return { path };
  };
  return { value, failures, place };
};

/** The parser's words where they help the person who wrote the file; ours where they speak to programmers. */
const tidy = (message: string): string => {
  if (message.startsWith('Maximum call stack')) return 'nested too deeply';
  if (message.includes('multiple documents')) return 'a recipe is a single document: nothing may follow "---"';
  const first = message.split('\n')[0] ?? message;
  return first.charAt(0).toLowerCase() + first.slice(1);
};

/** References to nodes with variants, in the recipe and on the command line: `adapter@r=8`, `adapter@r=8.metrics`, `adapter@*`. */
import type { Scalar } from './matrix.ts';
import { didYouMean } from './suggest.ts';

/** The values that the variants of one node have, by axis. */
export type KnownAxes = ReadonlyMap<string, readonly { readonly value: Scalar; readonly text: string }[]>;

export interface Selection {
  /** By axis: the text of the value chosen, or null for all of them at once (`*`). */
  readonly axes: ReadonlyMap<string, string | null>;
  readonly output: string | null;
}

export interface ParsedReference {
  readonly node: string;
  /** What stands after "@", the output included; null where nothing is selected. */
  readonly rest: string | null;
  readonly output: string | null;
}

export const parseReference = (text: string): ParsedReference => {
  const at = text.indexOf('@');
  const head = at === -1 ? text : text.slice(0, at);
  const dot = head.indexOf('.');
  return {
    node: dot === -1 ? head : head.slice(0, dot),
    rest: at === -1 ? null : text.slice(at + 1),
    output: dot === -1 ? null : head.slice(dot + 1),
  };
};

/** What a selection chooses among the variants of `node`, or why it cannot. */
export const parseSelection = (node: string, rest: string, known: KnownAxes): Selection | string => {
  if (known.size === 0) return `${node} has no variants to choose from: leave "@${rest}" out`;
  const axes = new Map<string, string | null>();
  const all = /^\*(?:\.(.+))?$/.exec(rest);
  if (all) {
    for (const axis of known.keys()) axes.set(axis, null);
    return { axes, output: all[1] ?? null };
  }
  let output: string | null = null;
  const parts = rest.split(/,(?=[a-z][a-z0-9_-]*=)/);
  for (const [i, part] of parts.entries()) {
    const equals = part.indexOf('=');
    const axis = equals === -1 ? part : part.slice(0, equals);
    const values = known.get(axis);
    if (equals === -1) return `"${part}" selects nothing: write ${node}@${[...known.keys()][0]}=value`;
    if (!values) return `${node} has no axis "${axis}"${didYouMean(axis, [...known.keys()])}`;
    if (axes.has(axis)) return `"${axis}" is selected twice`;
    const given = part.slice(equals + 1);
    const last = i === parts.length - 1;
    const chosen = choose(given, values);
    const dot = given.lastIndexOf('.');
    if (chosen !== undefined) axes.set(axis, chosen);
    else if (last && dot !== -1 && choose(given.slice(0, dot), values) !== undefined) {
      axes.set(axis, choose(given.slice(0, dot), values)!);
      output = given.slice(dot + 1);
    } else {
      const texts = values.map(v => v.text);
      return `${axis} of ${node} is ${listed(texts)}, not ${given}${hint(given, texts)}`;
    }
  }
  return { axes, output };
};

/** Undefined when there is no such value. A value may be written as in names or as in the recipe. */
const choose = (given: string, values: readonly { value: Scalar; text: string }[]): string | null | undefined => {
  if (given === '*') return null;
  const number = given.trim() === '' ? Number.NaN : Number(given);
  return values.find(v => v.text === given || v.value === given || v.value === number)?.text;
};

const MOST_LISTED = 12;

/** "8, 16 or 32". */
export const listed = (texts: readonly string[]): string => {
  if (texts.length < 2) return texts.join('');
  if (texts.length > MOST_LISTED)
    return `one of ${texts.slice(0, MOST_LISTED).join(', ')} and ${texts.length - MOST_LISTED} more`;
  return `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
};

/** Of numbers none is meant by another. */
const hint = (given: string, texts: readonly string[]): string => {
  if (given.trim() === '' || !Number.isNaN(Number(given))) return '';
  const near = didYouMean(given, texts);
  return near.startsWith('; did') ? near : '';
};

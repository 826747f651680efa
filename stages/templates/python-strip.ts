/**
 * `text.strip('\n')` as Python has it: the Jinja library takes all white space off, whatever it is told to. Calls with an
 * argument are given functions of our own, in the parsed template.
 */

type Strip = (text: unknown, characters: unknown) => string;

const strip =
  (left: boolean, right: boolean): Strip =>
  (text, characters) => {
    if (typeof text !== 'string' || typeof characters !== 'string')
      throw new Error('strip takes a text and characters');
    const all = new Set(characters);
    const units = [...text];
    let start = 0;
    let end = units.length;
    while (left && start < end && all.has(units[start]!)) start++;
    while (right && end > start && all.has(units[end - 1]!)) end--;
    return units.slice(start, end).join('');
  };

const METHODS: Readonly<Record<string, string>> = { strip: '__strip', lstrip: '__lstrip', rstrip: '__rstrip' };

/** To be given to the template under these names. */
export const stripFunctions: Readonly<Record<string, Strip>> = {
  __strip: strip(true, true),
  __lstrip: strip(true, false),
  __rstrip: strip(false, true),
};

interface Call {
  readonly type: 'CallExpression';
  callee: {
    readonly type: string;
    readonly object?: unknown;
    readonly property?: { readonly value?: unknown };
    readonly computed?: boolean;
    readonly value?: string;
  };
  args: unknown[];
}

const isCall = (node: object): node is Call => (node as { type?: unknown }).type === 'CallExpression';

/** Changes the tree of a parsed template. */
export const stripAsPython = (node: unknown): void => {
  if (typeof node !== 'object' || node === null) return;
  for (const inner of Array.isArray(node) ? node : Object.values(node)) stripAsPython(inner);
  if (Array.isArray(node) || !isCall(node) || node.args.length !== 1) return;
  const { type, property, object, computed } = node.callee;
  const name = METHODS[String(property?.value)];
  if (type !== 'MemberExpression' || computed || name === undefined) return;
  node.args = [object, ...node.args];
  node.callee = { type: 'Identifier', value: name };
};

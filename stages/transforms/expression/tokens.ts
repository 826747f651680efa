/** Cuts an expression into tokens. */
import { StageError } from '../../contract.ts';

export type Token =
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  | { readonly kind: 'text'; readonly value: string; readonly at: number }
  /** A field's name or path, or a word of the language. */
  | { readonly kind: 'name'; readonly value: string; readonly at: number }
  | { readonly kind: 'mark'; readonly value: string; readonly at: number }
  | { readonly kind: 'end'; readonly value: ''; readonly at: number };

const TOKEN =
  /\s*(?:(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<name>[\p{L}_][\p{L}\p{N}_]*(?:\.(?:[\p{L}_][\p{L}\p{N}_-]*|\d+))*|`[^`]+`)|(?<mark>==|!=|<=|>=|&&|\|\||[-<>+*/%()[\],!]))/uy;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/** Error `invalid-expression`, with a mark under the place. */
export const mistake = (expression: string, at: number, why: string): StageError =>
  new StageError('invalid-expression', `${why}\n  ${expression.replaceAll('\n', ' ')}\n  ${' '.repeat(at)}^`, {
    advice:
      "Fields, numbers, 'texts', [lists], true, false and null; == != < <= > >= in, not in, matches; + - * / %; and, or, not; length(x), words(x), lower(x), number(x), exists(x).",
  });

export const tokens = (expression: string): Token[] => {
  const out: Token[] = [];
  let at = 0;
  for (;;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(expression);
    if (!match) {
      const rest = expression.slice(at).search(/\S/);
      if (rest === -1) return [...out, { kind: 'end', value: '', at: expression.trimEnd().length }];
      const bad = at + rest;
      const open = /['"`]/.test(expression[bad]!);
      throw mistake(
        expression,
        bad,
        open ? 'this quotation mark is not closed' : `"${expression[bad]}" cannot stand here`,
      );
    }
    const { number, quoted, name, mark } = match.groups!;
    const start = match.index + match[0].length - match[0].trimStart().length;
    at = TOKEN.lastIndex;
    if (number !== undefined) out.push({ kind: 'number', value: Number(number), at: start });
    else if (quoted !== undefined) {
      // Of a regular expression the backslashes stay: only quotes and line breaks are escaped in a text.
      const value = quoted.slice(1, -1).replace(/\\(['"\\ntr])/g, (_, c: string) => ESCAPES[c] ?? c);
      out.push({ kind: 'text', value, at: start });
    } else if (name !== undefined) out.push({ kind: 'name', value: name, at: start });
    else out.push({ kind: 'mark', value: mark!, at: start });
  }
};

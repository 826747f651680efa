/** Finds all variants of all terms in one pass, by a tree of their characters: a glossary of thousands costs no more than one term. */
import { isPartOfWord, isWordAt, isWordBefore } from '../text/word-edges.ts';

export interface Glossary {
  readonly term: string;
  readonly variants: readonly string[];
}

export interface ReplacerOptions {
  readonly ignoreCase: boolean;
  readonly wholeWords: boolean;
}

interface Node {
  readonly next: Map<number, Node>;
  /** Index of the term that a variant ending here stands for. */
  term: number;
}

const SPACE = 0x20;
const isSpace = (unit: number): boolean =>
  unit === SPACE || (unit >= 9 && unit <= 13) || unit === 0xa0 || unit === 0x3000;

/** Unit by unit, so that places stay: what becomes longer in small letters (İ) stays as it is. */
const lower = (text: string): string => {
  const whole = text.toLowerCase();
  if (whole.length === text.length) return whole;
  return Array.from(text, c => (c.toLowerCase().length === c.length ? c.toLowerCase() : c)).join('');
};

/** A term in small letters begins as what it stands in for began: "Finetuning is" becomes "Fine-tuning is". */
const inPlaceOf = (term: string, found: string): string => {
  const small = term === term.toLowerCase();
  const first = [...found][0]!;
  const capital =
    first !== first.toLowerCase() && found.slice(first.length) === found.slice(first.length).toLowerCase();
  if (!small || !capital) return term;
  const [own] = term;
  return own!.toUpperCase() + term.slice(own!.length);
};

/** Two terms that claim the same variant; the message names them. */
export class Ambiguous extends Error {}

export const replacer = (
  glossary: readonly Glossary[],
  { ignoreCase, wholeWords }: ReplacerOptions,
): ((text: string, count: (term: string) => void) => string) => {
  const fold = ignoreCase ? lower : (text: string) => text;
  const root: Node = { next: new Map(), term: -1 };
  for (const [index, { term, variants }] of glossary.entries()) {
    // The term itself, too: in other letters it is a variant, and a longer one keeps a shorter variant in it from being found.
    for (const variant of [term, ...variants]) {
      let node = root;
      for (const c of fold(variant.trim().replace(/\s+/g, ' '))) {
        for (let i = 0; i < c.length; i++) {
          const unit = c.charCodeAt(i);
          let next = node.next.get(unit);
          if (!next) node.next.set(unit, (next = { next: new Map(), term: -1 }));
          node = next;
        }
      }
      if (node.term !== -1 && node.term !== index)
        throw new Ambiguous(`"${variant}" stands for "${glossary[node.term]!.term}" and for "${term}"`);
      node.term = index;
    }
  }

  return (text, count) => {
    const folded = fold(text);
    let out = '';
    let done = 0;
    for (let at = 0; at < folded.length; at++) {
      let node = root.next.get(folded.charCodeAt(at));
      if (!node) continue;
      if (wholeWords && isWordAt(text, at) && isWordBefore(text, at)) continue;
      let end = -1;
      let term = -1;
      for (let i = at + 1; ; i++) {
        if (node.term !== -1 && !(wholeWords && isPartOfWord(text[i - 1]) && isWordAt(text, i)))
          [end, term] = [i, node.term];
        const unit = folded.charCodeAt(i);
        const next: Node | undefined = node.next.get(isSpace(unit) ? SPACE : unit);
        if (!next) break;
        node = next;
        // Of several spaces in a row, or a line break, one is looked for.
        if (isSpace(unit)) while (isSpace(folded.charCodeAt(i + 1))) i++;
      }
      if (term === -1) continue;
      const found = text.slice(at, end);
      const wanted = inPlaceOf(glossary[term]!.term, found);
      if (found !== wanted) {
        out += text.slice(done, at) + wanted;
        done = end;
        count(glossary[term]!.term);
      }
      at = end - 1;
    }
    return done === 0 ? text : out + text.slice(done);
  };
};

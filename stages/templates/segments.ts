/** A rendered conversation in pieces, special tokens apart from text, and the token ids and loss ranges that they make. */
import { StageError } from '../contract.ts';
import type { Sample } from './render.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface Segment {
  readonly text: string;
  /** A special token, not text. */
  readonly special: boolean;
  /** Carries loss. */
  readonly train: boolean;
  /** Comes back in other rows: worth keeping its ids. */
  readonly fixed: boolean;
}

/** Collects segments; empty text makes none. */
export interface SegmentWriter {
  readonly segments: readonly Segment[];
  special(text: string, train?: boolean): void;
  /** Text of a row. */
  text(text: string, train?: boolean): void;
  /** Text that other rows have too. */
  fixed(text: string, train?: boolean): void;
}

export const segmentWriter = (): SegmentWriter => {
  const segments: Segment[] = [];
  const add = (text: string, special: boolean, train: boolean, fixed: boolean) => {
    if (text !== '') segments.push({ text, special, train, fixed });
  };
  return {
    segments,
    special: (text, train = false) => add(text, true, train, true),
    text: (text, train = false) => add(text, false, train, false),
    fixed: (text, train = false) => add(text, false, train, true),
  };
};

/** Texts of which the ids are kept. The cap is for datasets whose every row brings instructions of its own. */
const MOST_KNOWN = 1024;

/**
 * Ids and loss ranges of segments, each encoded by itself: no text of a row can become a special token, and a prompt is the
 * beginning of the sample that answers it. The ids of fixed texts are kept in `known`.
 */
export const encodeSegments = async (
  segments: readonly Segment[],
  tokenizer: Tokenizer,
  known: Map<string, readonly number[]>,
): Promise<Sample> => {
  const fresh = segments.filter(s => !s.special && !(s.fixed && known.has(s.text)));
  const encoded = await tokenizer.plain(fresh.map(s => s.text));
  let next = 0;
  const ids: number[] = [];
  const trained: [number, number][] = [];
  let text = '';
  for (const segment of segments) {
    const start = ids.length;
    if (segment.special) ids.push(tokenizer.special(segment.text)!);
    else {
      const isFresh = fresh[next] === segment;
      const piece = isFresh ? encoded[next++]! : known.get(segment.text)!;
      if (isFresh && segment.fixed && known.size < MOST_KNOWN) known.set(segment.text, piece);
      for (const id of piece) ids.push(id);
    }
    text += segment.text;
    const last = trained.at(-1);
    if (!segment.train || ids.length === start) continue;
    if (last?.[1] === start) last[1] = ids.length;
    else trained.push([start, ids.length]);
  }
  return { text, ids, trained };
};

/** What to do about a vocabulary that a format cannot be written in. */
const ADVICE =
  "use `format: tokenizer` (the model's own template), `format: alpaca` (plain text), or a model with these special tokens";

/**
 * Throws `StageError` unless the vocabulary has these special tokens, as nothing but special tokens, and adds nothing to a
 * text that is encoded in pieces.
 */
export const checkVocabulary = async (
  tokenizer: Tokenizer,
  {
    format,
    title,
    specials,
  }: { readonly format: string; readonly title: string; readonly specials: readonly string[] },
): Promise<void> => {
  const reason = `not-a-${format}-vocabulary`;
  const missing = specials.filter(name => tokenizer.special(name) === undefined);
  if (missing.length > 0)
    throw new StageError(
      reason,
      `the model's vocabulary lacks ${missing.join(', ')}: ${title} cannot be written in it`,
      {
        advice: ADVICE,
      },
    );
  const [named, x, a] = await tokenizer.plain([specials.join(''), 'x', 'a']);
  const leaks = named!.some(id => specials.some(name => tokenizer.special(name) === id));
  const joined = await tokenizer.decode([...x!, ...a!]);
  if (leaks || joined !== 'xa')
    throw new StageError(
      reason,
      leaks
        ? 'the vocabulary holds the special tokens as ordinary words too: user text could forge a message'
        : `the tokenizer adds something to each text it is given ("x" and "a" become "${joined}")`,
      { advice: `${title} is rendered in pieces: use \`format: tokenizer\` with this model` },
    );
};

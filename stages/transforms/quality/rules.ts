/**
 * Sets of rules that are known to keep good documents of the web apart from bad ones, with the bounds of their papers.
 *
 *   gopher, gopher-repetition  Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", tables A1, A2
 *   c4                         Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2.2
 *   fineweb                    Penedo et al. 2024, "The FineWeb Datasets", 3.5
 */
import { type Measure, measures } from '../score/measures.ts';
import type { Document } from './document.ts';
import { type DocumentMeasure, documentMeasures } from './measures.ts';

export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export type RuleSet = 'gopher' | 'gopher-repetition' | 'c4' | 'fineweb';
export type Measured = Measure;

const SETS: Readonly<Record<RuleSet, Readonly<Partial<Record<Measured, Bounds>>>>> = {
  gopher: {
    words: { min: 50, max: 100_000 },
    mean_word_length: { min: 3, max: 10 },
    symbols: { max: 0.1 },
    bullet_lines: { max: 0.9 },
    ellipsis_lines: { max: 0.3 },
    alphabetic_words: { min: 0.8 },
    stop_words: { min: 2 },
  },
  'gopher-repetition': {
    duplicate_lines: { max: 0.3 },
    duplicate_paragraphs: { max: 0.3 },
    duplicate_line_characters: { max: 0.2 },
    duplicate_paragraph_characters: { max: 0.2 },
    top_2gram: { max: 0.2 },
    top_3gram: { max: 0.18 },
    top_4gram: { max: 0.16 },
    duplicate_5gram: { max: 0.15 },
    duplicate_6gram: { max: 0.14 },
    duplicate_7gram: { max: 0.13 },
    duplicate_8gram: { max: 0.12 },
    duplicate_9gram: { max: 0.11 },
    duplicate_10gram: { max: 0.1 },
  },
  c4: { sentences: { min: 5 } },
  fineweb: {
    ended_lines: { min: 0.12 },
    duplicate_line_characters: { max: 0.1 },
    short_lines: { max: 0.67 },
    line_breaks: { max: 0.3 },
  },
};

/** Of texts in scripts without spaces these say nothing: every character is a word there. */
const SPACED_ONLY: ReadonlySet<Measured> = new Set(['mean_word_length', 'stop_words']);

export interface Rule {
  /** Names of the sets that have it, for the reason; empty for a bound of the user's own. */
  readonly of: string;
  readonly measure: Measured;
  readonly bounds: Bounds;
}

/** Bounds by measure; null takes a rule out. */
export type Limits = Readonly<Partial<Record<Measured, Bounds | null>>>;

/** The rules of sets, and in place of theirs the bounds that the recipe gives. */
export const rulesOf = (sets: readonly RuleSet[], own: Limits): readonly Rule[] => {
  const rules: Rule[] = [];
  for (const set of sets)
    for (const [measure, bounds] of Object.entries(SETS[set]) as [Measured, Bounds][])
      if (!Object.hasOwn(own, measure)) rules.push({ of: set, measure, bounds });
  for (const [measure, bounds] of Object.entries(own) as [Measured, Bounds | null][])
    if (bounds) rules.push({ of: '', measure, bounds });
  return rules;
};

/** What is measured of a text as such, and what of a document: cut once for all rules. */
export const measure = (name: Measured, document: Document): number => {
  if (name === 'words') return document.words.length;
  return name in documentMeasures ? documentMeasures[name as DocumentMeasure](document) : measures[name](document.text);
};

/** Why a document is not good enough, or null. */
export const broken = (document: Document, rules: readonly Rule[]): string | null => {
  for (const { of, measure: name, bounds } of rules) {
    if (SPACED_ONLY.has(name) && !document.spaced) continue;
    const value = measure(name, document);
    const { min, max } = bounds;
    const because = of === '' ? '' : `, ${of}`;
    if (min !== undefined && value < min) return `${name} below ${min} (${value})${because}`;
    if (max !== undefined && value > max) return `${name} above ${max} (${value})${because}`;
  }
  return null;
};

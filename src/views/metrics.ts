/** Metrics of a node as names and texts, and which of them say how good it is. */
import { decimal } from './numbers.ts';
import { cut, visible } from './printable.ts';

export type Values = Readonly<Record<string, unknown>>;

const LONGEST_VALUE = 60;

export const isRecord = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nested numbers and words as "a.b" names; lists only by their length. */
export const flat = (value: unknown, name: string): [string, string][] => {
  if (isRecord(value))
    return Object.entries(value).flatMap(([key, item]) => flat(item, name === '' ? key : `${name}.${key}`));
  if (typeof value === 'number') return [[name, decimal(value)]];
  if (Array.isArray(value)) return [[name, `${value.length} items`]];
  return value === null || value === undefined ? [] : [[name, cut(visible(String(value)), LONGEST_VALUE)]];
};

export const compact = (value: unknown): string =>
  flat(value, '')
    .map(([name, text]) => `${visible(name)} ${text}`)
    .join(', ');

/** Counts that describe the evaluation's size rather than its outcome. */
export const isSize = (name: string): boolean => /^(rows|tokens|examples|prompts)$|_(rows|tokens|examples)$/.test(name);

const LOWER: ReadonlySet<string> = new Set(['loss', 'perplexity', 'eval_loss_after']);

/** Less of it is better: of what the held-out rows say. The loss on rows that were trained on proves nothing. */
export const isBetterLower = (name: string): boolean => LOWER.has(name);

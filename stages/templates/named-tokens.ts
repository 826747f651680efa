/** The special tokens that a model folder gives a part to: which begins a text, which end one. */
import { readJson, type Tokenizer } from './tokenizer.ts';

type Config = Record<string, unknown> | null;

/** A special token in tokenizer_config.json is its content or an object that holds it. */
const content = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value;
  const inner = (value as { content?: unknown } | null | undefined)?.content;
  return typeof inner === 'string' ? inner : undefined;
};

export interface NamedTokens {
  /** Empty where the folder names none. */
  readonly bos: string;
  readonly eos: string;
  /** Generation ends at any of these. */
  readonly stopIds: readonly number[];
}

/** `config` is the model's config.json. */
export const namedTokens = (folder: string, tokenizer: Tokenizer, config: Config): NamedTokens => {
  const own = readJson(folder, 'tokenizer_config.json');
  const older = readJson(folder, 'special_tokens_map.json');
  const token = (name: string) => content(own?.[name]) ?? content(older?.[name]) ?? '';
  const eos = token('eos_token');
  const ids = [readJson(folder, 'generation_config.json'), config].flatMap(c => c?.eos_token_id ?? []);
  const all = [...ids, tokenizer.special(eos)];
  const stopIds = [...new Set(all.filter((id): id is number => typeof id === 'number'))];
  return { bos: token('bos_token'), eos, stopIds };
};

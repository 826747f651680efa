/**
 * A tokenizer.json taken apart: what stands before the model is small and changed, the model itself, 25 MB in a vocabulary of
 * 200,000, is handed on as the text that it is.
 */
import { StageError } from '../contract.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

interface Head {
  readonly added_tokens?: readonly AddedToken[] | null;
  readonly post_processor?: unknown;
}

export interface TokenizerJson {
  readonly added: readonly AddedToken[];
  readonly postProcessor: unknown;
  /** The file with these added tokens only, and without what would change ids or offsets unasked. */
  with(added: readonly AddedToken[]): string;
}

// A saved tokenizer may carry truncation, padding, dropout and trimmed offsets.
const OFF = { truncation: null, padding: null, post_processor: null };

const CHANGED = ['added_tokens', ...Object.keys(OFF)];

/** The model begins there in files as the library writes them; its own first keys stand close behind. */
const MODEL = /"model"\s*:\s*(?=\{)/g;
const FIRST_KEYS = 2000;
const FARTHEST = 8 << 20;

/** Throws `StageError` for what is no JSON. */
export const tokenizerJson = (text: string): TokenizerJson => {
  for (const { index, 0: key } of text.slice(0, FARTHEST).matchAll(MODEL)) {
    const head = parsed<Head>(`${text.slice(0, index)}"model":null}`);
    const start = index + key.length;
    // What is changed has to stand before the model: behind it, it would stand twice.
    if (!head || !CHANGED.every(name => name in head)) continue;
    if (!/"dropout"\s*:\s*null/.test(text.slice(start, start + FIRST_KEYS))) continue;
    const { model: _, ...rest } = head as Head & { model: null };
    return {
      added: head.added_tokens ?? [],
      postProcessor: head.post_processor,
      with: added =>
        `${JSON.stringify({ ...rest, ...OFF, added_tokens: added }).slice(0, -1)},"model":${text.slice(start)}`,
    };
  }
  return asWhole(text);
};

const parsed = <T>(text: string): T | null => {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
};

/** However the file is written. */
const asWhole = (text: string): TokenizerJson => {
  let json: Head & { readonly model: Readonly<Record<string, unknown>> };
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new StageError('broken-model-file', `the model's tokenizer.json is not JSON: ${(error as Error).message}`);
  }
  return {
    added: json.added_tokens ?? [],
    postProcessor: json.post_processor,
    with: added => {
      const model = { ...json.model, ...('dropout' in json.model ? { dropout: null } : {}) };
      return JSON.stringify({ ...json, ...OFF, added_tokens: added, model });
    },
  };
};

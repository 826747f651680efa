/** Hugging Face's tokenizer of a model folder, in two readings: specials as plain text, or specials matched. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as Core, type Encoding } from 'tokenizers';
import { StageError } from '../contract.ts';
import { type AddedToken, type TokenizerJson, tokenizerJson } from './tokenizer-json.ts';

export interface Encoded {
  readonly ids: readonly number[];
  /** Half-open ranges of code points in the text; bytes of one character that fall into several tokens share its range. */
  readonly offsets: readonly (readonly [number, number])[];
}

export interface Tokenizer {
  /** Id of an added token by its content. */
  special(content: string): number | undefined;
  readonly specialIds: ReadonlySet<number>;
  /** Ids of each text; a special token's name in it stays plain text. Nothing is added. */
  plain(texts: readonly string[]): Promise<number[][]>;
  /** Ids and places of a text in which nothing is special. Nothing is added. */
  spelled(text: string): Promise<Encoded>;
  /** What the tokenizer puts before every text by itself: usually the token that begins one, or nothing. */
  readonly before: { readonly text: string; readonly ids: readonly number[] };
  /** Ids of a text whose special tokens are written out, as Hugging Face tokenises a rendered template. Nothing is added. */
  whole(text: string): Promise<Encoded>;
  decode(ids: readonly number[], skipSpecials?: boolean): Promise<string>;
}

interface PostProcessor {
  readonly type?: string;
  readonly processors?: readonly PostProcessor[];
  readonly cls?: readonly [string, number];
  readonly single?: readonly { readonly SpecialToken?: { readonly id: string } }[];
  readonly special_tokens?: Readonly<Record<string, { readonly ids: readonly number[] }>>;
}

/** The tokens that a tokenizer.json's post-processor puts before a text. */
const begins = (given: unknown): { readonly text: string; readonly ids: readonly number[] } => {
  const post = given as PostProcessor | null | undefined;
  if (post?.type === 'Sequence') {
    const all = (post.processors ?? []).map(begins);
    return { text: all.map(b => b.text).join(''), ids: all.flatMap(b => b.ids) };
  }
  if (post?.type === 'TemplateProcessing') {
    const single = post.single ?? [];
    const at = single.findIndex(part => !part.SpecialToken);
    const names = single.slice(0, Math.max(0, at)).map(part => part.SpecialToken!.id);
    return { text: names.join(''), ids: names.flatMap(name => post.special_tokens?.[name]?.ids ?? []) };
  }
  if (post?.cls) return { text: post.cls[0], ids: [post.cls[1]] };
  return { text: '', ids: [] };
};

const readText = (folder: string, name: string): string | null => {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
};

/** A JSON file of the model folder; null where there is none. */
export const readJson = (folder: string, name: string): Record<string, unknown> | null => {
  const text = readText(folder, name);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new StageError('broken-model-file', `the model's ${name} is not JSON: ${(error as Error).message}`);
  }
};

/** A text file of the model folder; null where there is none. */
export const readFile = readText;

/**
 * A native call costs a hop to another thread and back, as much as encoding a short text: calls of one tick share it.
 */
const shareCalls = (core: () => Core) => {
  let waiting: string[] = [];
  let shared: Promise<Encoding[]> | undefined;
  const flush = async (): Promise<Encoding[]> => {
    await null;
    const texts = waiting;
    waiting = [];
    shared = undefined;
    return core().encodeBatch(texts, { addSpecialTokens: false });
  };
  return async (texts: readonly string[]): Promise<Encoding[]> => {
    if (texts.length === 0) return [];
    const from = waiting.length;
    waiting.push(...texts);
    shared ??= flush();
    return (await shared).slice(from, from + texts.length);
  };
};

export const loadTokenizer = (folder: string): Tokenizer => {
  const read = (): TokenizerJson => {
    const text = readText(folder, 'tokenizer.json');
    if (text !== null) return tokenizerJson(text);
    throw new StageError('no-tokenizer', 'the model folder has no tokenizer.json', {
      advice: 'save the fast tokenizer beside the weights (tokenizer.save_pretrained)',
    });
  };
  /** Held until the first core is made of it: a large vocabulary takes 25 MB. */
  let held: TokenizerJson | null = read();
  const core = (added: readonly AddedToken[]): Core => {
    const json = held ?? read();
    held = null;
    try {
      return Core.fromString(json.with(added));
    } catch (error) {
      throw new StageError(
        'broken-tokenizer',
        `the model's tokenizer.json cannot be loaded: ${(error as Error).message}`,
      );
    }
  };
  const { added, postProcessor } = held;
  const before = begins(postProcessor);
  const specials = added.filter(token => token.special);
  const ids = new Map(added.map(token => [token.content, token.id]));
  // Both readings are made at first use: one of them is all that most runs need, and a 200k vocabulary takes a while.
  let matched: Core | undefined;
  let unmatched: Core | undefined;
  const withSpecials = () => (matched ??= core(added));
  const asPlain = () => (unmatched ??= core(added.filter(token => !token.special)));
  const specialIds = new Map(specials.map(token => [token.id, token.content]));
  /** Decodes without the core that knows special tokens, where it is not there: the others between them one run at a time. */
  const inRuns = async (list: readonly number[], skipSpecials: boolean): Promise<string> => {
    const parts: (string | Promise<string>)[] = [];
    for (let at = 0; at < list.length; ) {
      const special = specialIds.get(list[at]!);
      if (special !== undefined) {
        if (!skipSpecials) parts.push(special);
        at++;
        continue;
      }
      const next = list.findIndex((id, i) => i > at && specialIds.has(id));
      const end = next === -1 ? list.length : next;
      parts.push(asPlain().decode(list.slice(at, end), false));
      at = end;
    }
    return (await Promise.all(parts)).join('');
  };
  const encodeMatched = shareCalls(withSpecials);
  const encodePlain = shareCalls(asPlain);
  return {
    special: content => ids.get(content),
    specialIds: new Set(specialIds.keys()),
    plain: async texts => (await encodePlain(texts)).map(encoding => encoding.getIds()),
    whole: async text => {
      const [encoding] = await encodeMatched([text]);
      return { ids: encoding!.getIds(), offsets: encoding!.getOffsets() as [number, number][] };
    },
    spelled: async text => {
      const [encoding] = await encodePlain([text]);
      return { ids: encoding!.getIds(), offsets: encoding!.getOffsets() as [number, number][] };
    },
    before,
    decode: (list, skipSpecials = false) =>
      unmatched && !matched ? inRuns(list, skipSpecials) : withSpecials().decode([...list], skipSpecials),
  };
};

/**
 * For models that read a text: ids with the tokens that belong around it, and which of two texts each belongs to (all to the
 * first); cut to `most` tokens.
 */
export const textEncoder = (folder: string, most: number) => {
  const json = readJson(folder, 'tokenizer.json');
  let core: Core;
  try {
    core = Core.fromString(JSON.stringify({ ...json, truncation: null, padding: null }));
  } catch (error) {
    throw new StageError(
      'broken-tokenizer',
      `the model's tokenizer.json cannot be loaded: ${(error as Error).message}`,
    );
  }
  core.setTruncation(most);
  return async (text: string): Promise<{ readonly ids: readonly number[]; readonly types: readonly number[] }> => {
    const encoding = await core.encode(text);
    return { ids: encoding.getIds(), types: encoding.getTypeIds() };
  };
};

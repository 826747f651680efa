/** The options of every stage as it sees them, defaults filled in. Made by schemas/generate.ts from schemas/stages/. */

/**
 * Runs a program of any kind in a folder of its own. The folder is fresh and holds `files` at their paths relative to the recipe; the environment is PATH, an empty HOME, LANG=C.UTF-8, TZ=UTC and `env`. `$OUT` is where the result goes. `$IN` is the folder of what `from` names; of a map, whose names are yours to choose, `$IN_<name>` (with `_` for `-`): rows are a folder with rows.jsonl, one JSON object of fields a line; files and models are folders; metrics are a folder with metrics.json.
 */
export interface CommandOptions {
  /**
   * A line for the shell (sh -c), or a list: a program and its arguments, run as they stand. Of several lines (run: |) the first that fails ends the command.
   */
  readonly run: string | readonly string[];
  /**
   * Globs of the files that it reads, relative to the folder of the recipe. One, or a list. It sees no others.
   */
  readonly files?: string | readonly string[];
  /**
   * Environment variables, which belong to the key. A secret is written "${env:NAME}" and belongs to none.
   */
  readonly env: {
    readonly [k: string]: string | number | boolean;
  };
  /**
   * What `$OUT` is. files: an empty folder, whose files are the result. rows: a file to be written, JSON Lines; each object is a row. metrics: a file to be written, one JSON object.
   */
  readonly output: 'files' | 'rows' | 'metrics';
  /**
   * With output: rows, the field whose value names each row. It must be unique. Without it, ids are made from the content.
   */
  readonly key?: string;
  /**
   * Rows with their ids: each line of an input's rows.jsonl, and of `$OUT` with output: rows, is {"id": …, "parent": …, "fields": {…}}.
   */
  readonly ids: boolean;
}

/**
 * Documents (Markdown, HTML, text) and records (JSON Lines, CSV) from the recipe's folder, one row each.
 */
export interface FilesOptions {
  /**
   * Globs of the files, relative to the folder of the recipe or to `root`: docs/** /*.md. One, or a list.
   */
  readonly paths: string | readonly string[];
  /**
   * Folder that `paths`, file names and row ids are relative to; may lie outside the recipe's folder. It is no part of the key: the same files elsewhere are the same rows.
   */
  readonly root?: string;
  /**
   * How to read the files; auto goes by the extension. Documents must be UTF-8 (HTML may declare a charset). HTML's main content becomes Markdown.
   */
  readonly format: 'auto' | 'markdown' | 'html' | 'text' | 'jsonl' | 'csv';
  /**
   * One row for each file, or for each section of a Markdown or HTML document: its id is `path#heading`, its text goes up to the next heading (`path#` is what stands before the first). Sections without text make no row.
   */
  readonly by: 'file' | 'section';
  /**
   * Field whose value names each record of JSONL and CSV files. It must be unique. Without it, ids are made from the content: a corrected record is then a new row.
   */
  readonly key?: string;
  /**
   * What separates the cells of CSV files; auto takes the most frequent one of the header line (tab for .tsv).
   */
  readonly delimiter: 'auto' | ',' | ';' | 'tab';
}

/**
 * A model folder in Hugging Face's layout: config.json, tokenizer.json and safetensors weights. It is checked and referenced, not copied.
 */
export interface ModelOptions {
  /**
   * The folder, relative to the folder of the recipe.
   */
  readonly path: string;
}

/**
 * Removes exact duplicates: of the rows that are equal in the chosen fields, the first in order stays.
 */
export interface DedupOptions {
  /**
   * Field or fields to compare; all of them if left out. A row that has none of them is kept.
   */
  readonly by?: string | readonly string[];
  /**
   * What counts as equal: none, the same characters; whitespace, but for white space; case, also but for capitals; letters, the same letters and digits, whatever stands between them.
   */
  readonly normalize: 'none' | 'whitespace' | 'case' | 'letters';
}

/**
 * Keeps the rows whose text and numbers pass every rule; the others are dropped with the rule they broke.
 */
export interface FilterOptions {
  /**
   * Field that the rules look at.
   */
  readonly field: string;
  /**
   * Fewest characters.
   */
  readonly min?: number;
  /**
   * Most characters.
   */
  readonly max?: number;
  /**
   * Fewest and most words (parts between white space).
   */
  readonly words?: {
    /**
     * Fewest words.
     */
    readonly min?: number;
    /**
     * Most words.
     */
    readonly max?: number;
  };
  /**
   * Regular expressions (JavaScript, u flag) that must all be found. Nested repetitions such as (a+)+ can take very long on some texts.
   */
  readonly matches?: string | readonly string[];
  /**
   * Regular expressions none of which may be found.
   */
  readonly not_matches?: string | readonly string[];
  /**
   * Phrases that must not occur, in any case, as whole words: navigation and boilerplate such as "click here", "all rights reserved".
   */
  readonly without?: string | readonly string[];
  /**
   * Bounds of the numbers in other fields, by the field's name, such as those that `score` writes: { repetition: { max: 0.3 } }.
   */
  readonly where?: {
    /**
     * Least and greatest number that pass.
     */
    readonly [k: string]: {
      /**
       * Least number that passes.
       */
      readonly min?: number;
      /**
       * Greatest number that passes.
       */
      readonly max?: number;
    };
  };
  /**
   * Whether `matches` and `not_matches` take capitals and small letters as equal.
   */
  readonly ignore_case: boolean;
}

/**
 * Rows of several inputs (a list) in given proportions, shuffled together; each row's id begins with its input's name. Mixing general data into a small domain set keeps a model from forgetting.
 */
export interface MixOptions {
  /**
   * Share of each input by its name, relative to the sum: { domain: 0.8, general: 0.2 }. Left out, inputs count by their rows.
   */
  readonly weights?: {
    readonly [k: string]: number;
  };
  /**
   * How many rows come out. Left out: as many as the weights allow without a repetition; without weights, all.
   */
  readonly rows?: number;
  /**
   * Most rows of an input, by its name. What it cannot give then comes from the others.
   */
  readonly caps?: {
    readonly [k: string]: number;
  };
  /**
   * Whether an input with fewer rows than are asked of it gives them more than once; with false, that is an error.
   */
  readonly repeat: boolean;
  /**
   * Another seed draws other rows, in another order.
   */
  readonly seed: number;
}

/**
 * Removes near duplicates: rows whose texts share most of their short runs of words are joined, and of all that are joined, directly or through others, one stays. Capitals, punctuation and white space do not count.
 */
export interface NearDedupOptions {
  /**
   * Field to compare, or a list of them, taken together. Left out: `text`, and in rows without it every text they hold. A row without a word in it stays.
   */
  readonly field?: string | readonly string[];
  /**
   * minhash compares which runs of words two texts share (Jaccard similarity). simhash compares 64-bit fingerprints: smaller and faster, and finds only texts that are almost equal.
   */
  readonly method: 'minhash' | 'simhash';
  /**
   * Similarity from which two texts are near duplicates: the share of runs of words that they have in common, 0.8 if left out. It is estimated from 112 hashes: within about 0.04 at 0.8.
   */
  readonly threshold?: number;
  /**
   * Together with `rows`: number of bands in place of the one chosen for the threshold (14 of 8 rows at 0.8). More of them find more pairs and take more time.
   */
  readonly bands?: number;
  /**
   * Together with `bands`: hashes in a band.
   */
  readonly rows?: number;
  /**
   * Of simhash: most bits of 64 in which near duplicates differ, 4 if left out.
   */
  readonly distance?: number;
  /**
   * Length of a run of words, 5 if left out (6 for simhash). In scripts without spaces (Chinese, Japanese, Thai, Khmer ...) each character is a word. A text that is shorter is one run.
   */
  readonly shingle?: number;
  /**
   * Which one stays: the first in order, or the one with the longest text.
   */
  readonly keep: 'first' | 'longest';
}

/**
 * Takes the marks of Markdown and HTML off a text and leaves its prose; paragraphs, list items and headings stay apart by a blank line.
 */
export interface PlainTextOptions {
  /**
   * Field that holds the text.
   */
  readonly field: string;
  /**
   * Remove HTML tags, comments, scripts and <pre>; turn character references (&amp;) into characters. What only looks like a tag (a < b, vector<int>) stays.
   */
  readonly html: boolean;
  /**
   * Remove images, with their alternative text.
   */
  readonly images: boolean;
  /**
   * Put the text of a link in its place; remove footnote marks and link definitions.
   */
  readonly links: boolean;
  /**
   * Remove fenced code blocks (``` or ~~~).
   */
  readonly code: boolean;
  /**
   * Treat blocks indented by four columns as code blocks, as Markdown does. Set false for plain text that indents its paragraphs.
   */
  readonly indented_code: boolean;
  /**
   * Treat interactive sessions (from a line that begins with >>> to the next blank line) as code blocks.
   */
  readonly doctest: boolean;
  /**
   * Inline code: unwrap keeps its text without the backticks, so that sentences stay whole; keep leaves it as it stands; strip removes it. What is kept is touched by no other step.
   */
  readonly inline_code: 'unwrap' | 'keep' | 'strip';
  /**
   * Remove tables.
   */
  readonly tables: boolean;
  /**
   * Headings: text takes the marks off and leaves a paragraph of its own; drop removes them; keep leaves one # before the text.
   */
  readonly headings: 'text' | 'drop' | 'keep';
  /**
   * Remove the marks of emphasis, lists, quotes and rules, and paragraphs without a letter or digit. Names such as snake_case and __init__ stay.
   */
  readonly symbols: boolean;
  /**
   * Turn escaped marks (\*) into the characters.
   */
  readonly escapes: boolean;
  /**
   * Remove URLs, and the brackets they leave empty.
   */
  readonly urls: boolean;
  /**
   * Remove file paths (/usr/lib/python3, ./src/a.ts, C:\x\y). Bare names such as setup.py and list.append stay.
   */
  readonly paths: boolean;
  /**
   * Fold the white space of each paragraph to single spaces, on one line.
   */
  readonly whitespace: boolean;
}

/**
 * Some of the rows, drawn by the seed and each row's id, in the order in which they were drawn.
 */
export interface SampleOptions {
  /**
   * How many; all where there are fewer.
   */
  readonly rows?: number;
  /**
   * Share of the rows, rounded; one row at least.
   */
  readonly share?: number;
  /**
   * Another seed draws other rows.
   */
  readonly seed: number;
}

/**
 * Writes a number about a text into a field of its own. A `filter` with `where` then keeps rows by it: when its bound moves, nothing is scored again.
 */
export interface ScoreOptions {
  /**
   * Field that is measured.
   */
  readonly field: string;
  /**
   * characters, words: how many. The others are shares between 0 and 1: unique_words, different words among all; punctuation (with symbols) and digits, among all characters; caps, capitals among letters; repetition, runs of three words that stood in the text before.
   */
  readonly measure: 'characters' | 'words' | 'unique_words' | 'punctuation' | 'digits' | 'caps' | 'repetition';
  /**
   * Field of the number; called as the measure if left out.
   */
  readonly as?: string;
}

/**
 * Makes an instruction and its response of two neighbouring sentences of one parent: documentation states a thing, then explains it.
 */
export interface SentencePairsOptions {
  /**
   * Field that holds the sentence.
   */
  readonly field: string;
  /**
   * Limits of the instruction, in characters.
   */
  readonly instruction: {
    /**
     * Fewest characters.
     */
    readonly min: number;
    /**
     * Most characters.
     */
    readonly max: number;
  };
  /**
   * Limits of the response, in characters.
   */
  readonly response: {
    /**
     * Fewest characters.
     */
    readonly min: number;
    /**
     * Most characters.
     */
    readonly max: number;
  };
  /**
   * What becomes of a sentence over the maximum: drop makes no pair of it; cut keeps its first words (a model trained on them learns to stop in mid-sentence).
   */
  readonly over: 'drop' | 'cut';
  /**
   * Whether the response of one pair may be the instruction of the next.
   */
  readonly overlap: boolean;
}

/**
 * Splits a text into its sentences, one row each, below the row they come from. Knows abbreviations, decimals, versions, file names, ellipses, quotes and CJK punctuation; a blank line ends a sentence.
 */
export interface SentencesOptions {
  /**
   * Field that holds the text; the sentences have it under the same name.
   */
  readonly field: string;
  /**
   * Other fields that each sentence takes over, such as title.
   */
  readonly carry: readonly string[];
}

/**
 * Puts the rows in an order drawn by the seed and each row's id: a row that is added stands somewhere among the others, and they keep their order.
 */
export interface ShuffleOptions {
  /**
   * Another seed draws another order.
   */
  readonly seed: number;
}

/**
 * Deals rows to sides named by you, such as train and eval, so that what belongs together stays on one side. Each option besides `seed` and `by` is the name of a side with its share: train: 0.9, eval: 0.1.
 */
export interface SplitOptions {
  /**
   * Another seed deals the groups anew.
   */
  readonly seed: number;
  /**
   * What stays together. row: nothing. parent: rows cut from the same row (a section). document: rows of the same file or record. component: rows that share a parent or any equal sentence, so that no sentence stands on both sides. {field: name}: rows with an equal value. {component: [names]}: as component, but of these fields only, whatever they hold (for data in which a sentence is constant, such as a system prompt).
   */
  readonly by:
    | ('row' | 'parent' | 'document' | 'component')
    | {
        /**
         * Field whose value is the group.
         */
        readonly field: string;
      }
    | {
        /**
         * Fields whose equal values tie rows together.
         *
         * @minItems 1
         */
        readonly component: readonly string[];
      };
  /**
   * Share of this side, relative to the sum of all shares.
   *
   * This interface was referenced by `SplitOptions`'s JSON-Schema definition
   * via the `patternProperty` "^(?!(?:seed|by)$)[a-z][a-z0-9_-]*$".
   */
  readonly [k: string]:
    | number
    | 'row'
    | 'parent'
    | 'document'
    | 'component'
    | {
        /**
         * Field whose value is the group.
         */
        readonly field: string;
      }
    | {
        /**
         * Fields whose equal values tie rows together.
         *
         * @minItems 1
         */
        readonly component: readonly string[];
      };
}

/**
 * How many rows there are, and how long their texts are in characters and words: least, median, mean, 95th percentile, greatest, and a histogram. `finetune show` prints them.
 */
export interface StatsOptions {
  /**
   * Field to measure, or a list of them; every field that holds a text if left out. Median and percentile are exact up to 255, and within 0.4 % above.
   */
  readonly field?: string | readonly string[];
}

/**
 * Renders conversations in the model's chat format: token ids and an exact loss mask. Says what share of the tokens is trained; 0 % and 100 % fail.
 */
export interface ChatOptions {
  /**
   * harmony: gpt-oss's format, rendered here, for vocabularies with its special tokens. tokenizer: the chat template that the model brings (chat_template.jinja or tokenizer_config.json). jinja: the file in `template`.
   */
  readonly format: 'harmony' | 'tokenizer' | 'jinja';
  /**
   * Jinja file for `format: jinja`, as Hugging Face templates are written; {% generation %} blocks mark what carries loss.
   */
  readonly template?: string;
  /**
   * Field with the list of messages: role, content, and optionally thinking, tool_calls, name, channel, train (false: no loss).
   */
  readonly messages: string;
  /**
   * Field with the user's text, for rows without messages.
   */
  readonly user: string;
  /**
   * Field with the assistant's text, for rows without messages.
   */
  readonly assistant: string;
  /**
   * Field with the reasoning before the assistant's text, for rows without messages; rows may lack it.
   */
  readonly thinking: string;
  /**
   * Instructions for conversations that bring no system or developer message of their own: Harmony's developer message, elsewhere a system message.
   */
  readonly developer?: string;
  /**
   * Harmony as openai/harmony renders it (vLLM's chat does), or as the Jinja template published with gpt-oss does (transformers).
   */
  readonly dialect: 'harmony' | 'hf';
  /**
   * The current date as the samples tell it, YYYY-MM-DD. Harmony leaves the line out without it; `dialect: hf` and templates that write the date need it.
   */
  readonly date?: string;
  /**
   * Reasoning effort in the system message (a template's reasoning_effort).
   */
  readonly reasoning: 'low' | 'medium' | 'high';
  /**
   * Knowledge cutoff in Harmony's system message.
   */
  readonly knowledge_cutoff: string;
  /**
   * First line of Harmony's system message (a template's model_identity).
   */
  readonly model_identity: string;
  /**
   * Which reasoning a Harmony sample leaves out. history: what the model did not see any more when it gave the last answer (before the first final one); the last answer keeps its own. always: openai/harmony's rule on the whole sample, so a single answer loses its reasoning. never: none. `dialect: hf` has its own rule.
   */
  readonly drop_analysis: 'history' | 'always' | 'never';
  /**
   * Which tokens carry loss. Messages with `train: false` never do.
   */
  readonly loss: {
    /**
     * Harmony channels whose content carries loss; the token that ends such a message does too.
     *
     * @minItems 1
     */
    readonly channels: readonly ('analysis' | 'commentary' | 'final')[];
    /**
     * Also train the headers that the model writes itself, such as <|channel|>final<|message|>. Off, the model keeps its habit of when to think; on, rows without reasoning teach it to answer at once. Headers of tool calls always count: the function's name stands there. Other formats train all that follows the generation prompt.
     */
    readonly headers: boolean;
    /**
     * Only the turn after the last user message carries loss.
     */
    readonly last_only: boolean;
  };
  /**
   * Longest sample, in tokens. Without it the model's max_position_embeddings.
   */
  readonly max_tokens?: number;
  /**
   * What happens to a longer sample: it goes to the rejects, is cut at the end (rejected if no trained token is left), or fails the node.
   */
  readonly over: 'reject' | 'truncate' | 'error';
}

/**
 * Trains a LoRA adapter (PEFT's format) on the rows of a template, by next-token loss over the tokens marked as trained.
 */
export interface LoraOptions {
  /**
   * What trains. embedded: ONNX Runtime on the CPU, needs nothing else; Llama, Mistral without a window, Qwen2, Qwen3. cuda: PyTorch on a GPU (on the CPU where there is none); the same families, Mistral's window, and gpt-oss.
   */
  readonly backend: 'embedded' | 'cuda';
  /**
   * Rank of the adapter's factors.
   */
  readonly r: number;
  /**
   * Strength: the adapter's product counts alpha / r times.
   */
  readonly alpha: number;
  /**
   * Dropout on the adapter's input. The embedded backend trains without.
   */
  readonly dropout: number;
  /**
   * Rank-stabilised LoRA: the product counts alpha / sqrt(r) times. llama.cpp ignores it.
   */
  readonly rslora: boolean;
  /**
   * Matrices that get an adapter, in every layer. gpt-oss's experts have gate_up_proj and down_proj.
   *
   * @minItems 1
   */
  readonly targets: readonly ('q_proj' | 'k_proj' | 'v_proj' | 'o_proj' | 'gate_proj' | 'up_proj' | 'down_proj' | 'gate_up_proj')[];
  /**
   * Optimiser steps; goes through the rows again where needed. Instead of epochs.
   */
  readonly steps?: number;
  /**
   * How often each row is seen. 1 if neither steps nor epochs is given.
   */
  readonly epochs?: number;
  /**
   * Rows per optimiser step.
   */
  readonly batch: number;
  /**
   * Rows in one run of the model; auto: as many as fit. Changes memory and speed, not the loss.
   */
  readonly micro_batch: 'auto' | number;
  /**
   * Of the model's numbers while it trains, backend cuda: bf16 where there is a GPU, else float32.
   */
  readonly precision?: 'auto' | 'bf16' | 'float32';
  /**
   * What is made again instead of kept for the backward pass, backend cuda. none: nothing; selective: the inside of experts or of the gated block; full: all but each layer's input. Less memory, more time, the same numbers.
   */
  readonly checkpointing?: 'none' | 'selective' | 'full';
  /**
   * Products with frozen experts in float8, backend cuda: faster, and rounded. MXFP4's weights stay exact.
   */
  readonly fp8?: boolean;
  /**
   * Only operations that give the same bits each time on the same device and versions, backend cuda.
   */
  readonly deterministic?: boolean;
  /**
   * When a GPU's memory does not suffice, backend cuda: fail, or retry the step in smaller runs.
   */
  readonly on_oom?: 'fail' | 'retry';
  /**
   * Highest learning rate.
   */
  readonly lr: number;
  /**
   * How the learning rate falls after the warm-up: linear to zero, half a cosine to zero, or not at all.
   */
  readonly scheduler: 'linear' | 'cosine' | 'constant';
  /**
   * Steps over which the learning rate rises; below 1: a share of all steps.
   */
  readonly warmup: number;
  /**
   * AdamW's weight decay.
   */
  readonly weight_decay: number;
  /**
   * Gradients are scaled down to this norm; 0: never.
   */
  readonly max_grad_norm: number;
  /**
   * AdamW's decay of the mean gradient.
   */
  readonly beta1: number;
  /**
   * AdamW's decay of the squared gradient.
   */
  readonly beta2: number;
  /**
   * AdamW's epsilon.
   */
  readonly eps: number;
  /**
   * Decides the adapter's start and the order of the rows.
   */
  readonly seed: number;
  /**
   * A checkpoint every so many steps (0: only when stopped); a killed training continues from the last one.
   */
  readonly save_steps: number;
  /**
   * Measures the loss on the eval rows every so many steps, besides before and after (0: only then).
   */
  readonly eval_steps: number;
  /**
   * Reports every so many steps.
   */
  readonly log_steps: number;
}

/**
 * Answers of the base model and of the model with the adapter to the same prompts, side by side.
 */
export interface GenerateOptions {
  /**
   * What runs the model. embedded: ONNX Runtime on the CPU, needs nothing else.
   */
  readonly backend: 'embedded';
  /**
   * YAML or JSON file: a list of texts, of {user, system}, or of {messages: [{role, content}]}.
   */
  readonly prompts: string;
  /**
   * Reasoning effort in the system message; a list asks each prompt with each.
   */
  readonly reasoning: ('low' | 'medium' | 'high') | readonly ('low' | 'medium' | 'high')[];
  /**
   * Chat format, as in the template chat: harmony, the model's own (tokenizer), or a Jinja file (jinja).
   */
  readonly format: 'harmony' | 'tokenizer' | 'jinja';
  /**
   * Jinja file for `format: jinja`.
   */
  readonly template?: string;
  /**
   * Harmony as openai/harmony renders it, or as the Jinja template published with gpt-oss does.
   */
  readonly dialect: 'harmony' | 'hf';
  /**
   * Instructions for prompts that bring none of their own.
   */
  readonly developer?: string;
  /**
   * The current date as the prompts tell it, YYYY-MM-DD; the clock is never read.
   */
  readonly date?: string;
  /**
   * Knowledge cutoff in Harmony's system message.
   */
  readonly knowledge_cutoff: string;
  /**
   * First line of Harmony's system message.
   */
  readonly model_identity: string;
  /**
   * Longest answer, in tokens.
   */
  readonly max_tokens: number;
  /**
   * 0: the likeliest token, always. Above: how freely the model chooses.
   */
  readonly temperature: number;
  /**
   * With a temperature: only the likeliest tokens that hold this share of the probability.
   */
  readonly top_p: number;
  /**
   * Above 1, tokens that were there already become less likely.
   */
  readonly repetition_penalty: number;
  /**
   * Decides the draws.
   */
  readonly seed: number;
  /**
   * Texts that end an answer, besides the model's own stop tokens.
   */
  readonly stop: readonly string[];
}

/**
 * Mean loss per trained token (nats) and perplexity of the base model and of the model with the adapter, over the same rows.
 */
export interface LossOptions {
  /**
   * What runs the model. embedded: ONNX Runtime on the CPU, needs nothing else.
   */
  readonly backend: 'embedded';
}

/**
 * Transform `sample-check`: a language model judges some of the rows, drawn by chance. Those it disagrees with are rejects, and
 * their share says how good the rows are that nobody looked at.
 */
import type { SampleCheckOptions } from '../../schemas/types.ts';
import { type Lineage, type Row, type RowsStage, StageError } from '../contract.ts';
import { askFor, orReject } from '../llm/ask.ts';
import { type Chat, openChat } from '../llm/chat.ts';
import { openPrompt, type Prompt, PromptFailed } from '../llm/prompt.ts';
import { type Shape, shapeOf } from '../llm/schema.ts';
import { asking, spending } from '../llm/spending.ts';
import { draw } from './augment/draw.ts';
import { wilson } from './sample-check/wilson.ts';

export type Options = SampleCheckOptions;

interface State {
  readonly chat: Chat;
  readonly system: Prompt | null;
  readonly prompt: Prompt;
  /** Of a verdict; null where an answer is compared. */
  readonly shape: Shape | null;
}

const JUDGE = `Judge a row of the training data of a language model. Is it right, complete, and written as a person who knows
the matter would write it, without traces of machine translation, of broken or missing words, or of a text that answers
something else? Here it is as JSON:

{{ fields | tojson }}

Say "good": true if it may be learned from as it is; else false, and "why" in a few words.`;

const VERDICT = {
  type: 'object',
  properties: { good: { type: 'boolean' }, why: { type: 'string' } },
  required: ['good', 'why'],
  additionalProperties: false,
};

const GRAIN = 2 ** 30;

/** By the seed and the row's id: a row that comes or goes changes nothing for the others. */
const isDrawn = ({ id, fields }: Row, { share, seed, having }: Options): boolean =>
  (having === undefined || (fields[having] ?? null) !== null) && draw(seed, id).below(GRAIN) < share * GRAIN;

/** Answers that differ in capitals, white space and a final full stop agree. */
const plain = (value: unknown): string =>
  String(typeof value === 'object' ? JSON.stringify(value) : value)
    .normalize('NFC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.。]$/, '');

/** What is wrong with the row, or null. */
const disagreement = (value: unknown, { fields }: Row, { expect }: Options): string | null => {
  if (expect === undefined) {
    const { good, why } = value as { good: boolean; why: string };
    return good ? null : why.trim() || 'no reason given';
  }
  const was = fields[expect];
  return plain(value) === plain(was) ? null : `${JSON.stringify(value)}, not ${JSON.stringify(was)}`;
};

export default {
  kind: 'rows',
  async setup({ options }, outside): Promise<State> {
    outside.count({ asked: 0 });
    // The seed draws rows: other rows ask no other questions.
    const { seed: _, ...asked } = options;
    return {
      chat: openChat(asked, outside),
      system: options.system === undefined ? null : openPrompt(options.system, 'system'),
      prompt: openPrompt(options.prompt ?? JUDGE, 'prompt'),
      shape: options.expect === undefined ? await shapeOf(VERDICT) : null,
    };
  },
  map(row, emit, { chat, system, prompt, shape }, options) {
    if (!isDrawn(row, options)) return emit.keep(row);
    return orReject(row, emit, async spent => {
      if (options.expect !== undefined && row.fields[options.expect] === undefined)
        throw new PromptFailed(`there is no field "${options.expect}" to compare with`);
      const messages = [
        ...(system ? [{ role: 'system', content: system.of(row.fields) }] : []),
        { role: 'user', content: prompt.of(row.fields) },
      ];
      const { value } = await askFor(chat, { question: { messages }, shape, repairs: options.repairs }, spent);
      const why = disagreement(value, row, options);
      const at: Lineage = { spent: { ...spent, judged: 1, disagreed: why === null ? 0 : 1 } };
      if (why === null) emit.keep(row, undefined, at);
      else emit.reject(row, `the judge disagrees: ${why}`, false, at);
    });
  },
  verdict(totals, { limit, prices }) {
    const { judged = 0, disagreed = 0, seen = 0 } = totals;
    if (judged === 0) return { note: `none of ${seen} judged` };
    const [low, high] = wilson(disagreed, judged);
    const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
    const found = `${disagreed} of ${judged} judged are bad: ${percent(disagreed / judged)}, of all rows ${percent(low)} to ${percent(high)}`;
    if (limit !== undefined && disagreed / judged > limit)
      throw new StageError('too-many-disagree', `${found}; the limit is ${percent(limit)}`, {
        advice: 'look at the rejects and mend what makes such rows, or raise `limit`',
      });
    return { note: [found, spending(totals, prices)].filter(Boolean).join('; ') };
  },
  counted: (counts, { prices }) => asking(counts, prices),
} satisfies RowsStage<Options, State>;

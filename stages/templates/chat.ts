/** Renders conversations in a model's chat format: token ids, and which of them carry loss. */

import { readFileSync } from 'node:fs';
import type { ChatOptions } from '../../schemas/types.ts';
import { type InputFile, type Json, type ModelInput, type Row, type RowsStage, StageError } from '../contract.ts';
import { type Columns, type Defaults, RowError, readConversation } from './conversation.ts';
import type { Chat, Sample } from './render.ts';
import { functionTools, readResponseFormat, readTools } from './tools.ts';

type Options = ChatOptions;

interface State {
  readonly chat: Chat;
  readonly columns: Columns;
  readonly defaults: Defaults;
  readonly limit: number;
}

type Range = readonly [number, number];

const grouped = (n: number) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
const length = (ranges: readonly Range[]) => ranges.reduce((sum, [start, end]) => sum + end - start, 0);

const cut = async (sample: Sample, limit: number, chat: Chat): Promise<Sample> => {
  const ids = sample.ids.slice(0, limit);
  const trained = sample.trained.filter(([start]) => start < limit).map(([a, b]): Range => [a, Math.min(b, limit)]);
  return { text: await chat.decode(ids), ids, trained };
};

const columnsOf = ({ format, messages, user, assistant, thinking, input }: Options): Columns => {
  const apart = format === 'alpaca';
  const field = input ?? (apart ? 'input' : undefined);
  return { messages, user, assistant, thinking, ...(field === undefined ? {} : { input: { field, apart } }) };
};

/** What a JSON file of the recipe says, read by `read`; its mistakes fail the node. */
const readDefault = <T>(file: InputFile | undefined, read: (value: Json, where: string) => T): T | undefined => {
  if (!file) return undefined;
  try {
    return read(JSON.parse(readFileSync(file.path, 'utf8')) as Json, file.name);
  } catch (error) {
    const message = error instanceof SyntaxError ? `is not JSON: ${error.message}` : (error as Error).message;
    throw new StageError('bad-definitions', message, { place: { path: file.name } });
  }
};

/**
 * Rows in: `messages` (role, content, thinking, tool_calls, train), or an instruction and a response; `tools` and
 * `response_format` beside them. Rows out, same ids: `text` (as rendered), `input_ids`, `trained` (half-open ranges of input_ids that carry loss).
 */
export default {
  kind: 'rows',

  async setup({ options, files, inputs }) {
    // Imported here, not above: listing the stages must not load the tokenizer's native code.
    const { loadChat } = await import('./render.ts');
    const template = files.template?.[0];
    if (template && options.format !== 'jinja')
      throw new StageError(
        'template-unused',
        `\`template\` is given, but \`format: ${options.format}\` does not read it`,
        {
          advice: 'set `format: jinja`, or leave `template` out',
        },
      );
    const chat = await loadChat({
      folder: (inputs.model as ModelInput).folder,
      options,
      ...(template ? { template: readFileSync(template.path, 'utf8') } : {}),
    });
    const tools = readDefault(files.tools?.[0], (value, where) => {
      const all = readTools(value, where);
      functionTools(all ?? []);
      return all;
    });
    const responseFormat = readDefault(files.response_format?.[0], readResponseFormat);
    const defaults = { ...(tools ? { tools } : {}), ...(responseFormat ? { responseFormat } : {}) };
    return {
      chat,
      columns: columnsOf(options),
      defaults,
      limit: options.max_tokens ?? chat.maxTokens ?? Number.POSITIVE_INFINITY,
    };
  },

  async map(row, emit, { chat, columns, defaults, limit }, options) {
    let sample: Sample;
    try {
      const conversation = readConversation(row.fields, columns, defaults);
      if (!conversation.messages.some(m => m.role === 'assistant'))
        throw new RowError(`${options.messages}: nothing to learn, the assistant says nothing`);
      sample = await chat.sample(conversation);
    } catch (error) {
      if (error instanceof RowError) return emit.reject(row, error.message);
      throw error;
    }
    const count = sample.ids.length;
    if (count > limit) {
      const excess = `${grouped(count)} tokens, over the limit of ${grouped(limit)}`;
      if (options.over === 'reject') return emit.reject(row, excess);
      if (options.over === 'error')
        throw new StageError('too-long', `row ${row.id} has ${excess}`, {
          advice: 'raise `max_tokens`, or set `over: reject` or `over: truncate`',
        });
      sample = await cut(sample, limit, chat);
    }
    if (length(sample.trained) === 0)
      return emit.reject(
        row,
        count > limit
          ? `no trained token within the first ${grouped(limit)} of ${grouped(count)} tokens`
          : 'no trained token: the loss policy leaves out all that the assistant says',
      );
    emit.keep(row, { text: sample.text, input_ids: sample.ids, trained: sample.trained });
  },

  async stretches(row, { chat }) {
    const ids = row.fields.input_ids as readonly number[];
    const ranges = row.fields.trained as unknown as readonly Range[];
    const cuts = [0, ...ranges.flat(), ids.length];
    const texts = await Promise.all(cuts.slice(1).map((end, i) => chat.decode(ids.slice(cuts[i]!, end))));
    // Between two ranges, and around them, is what carries no loss.
    return texts.map((text, i) => ({ text, marked: i % 2 === 1 })).filter(s => s.text !== '');
  },

  tally(row: Row) {
    return {
      tokens: (row.fields.input_ids as readonly number[]).length,
      trained: length(row.fields.trained as unknown as readonly Range[]),
    };
  },

  verdict({ tokens = 0, trained = 0 }) {
    if (trained === 0)
      throw new StageError('nothing-trained', `none of ${grouped(tokens)} tokens carries loss`, {
        advice: 'look at the rejects, and at `loss.channels` and `train` of the messages',
      });
    if (trained === tokens)
      throw new StageError('everything-trained', `all of ${grouped(tokens)} tokens carry loss, the prompts too`, {
        advice: 'the template marks no turn of the user: put {% generation %} around what the assistant writes',
      });
    // A share that is not 0 or 100 % is not shown as such.
    const share = Math.min(99, Math.max(1, Math.round((100 * trained) / tokens)));
    return { note: `${share} % of ${grouped(tokens)} tokens trained` };
  },
} satisfies RowsStage<Options, State>;

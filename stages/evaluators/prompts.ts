/** Reads a file of prompts, YAML or JSON: a list of texts, of {user, system}, or of {messages: [{role, content}, …]}. */
import type { Fields, InputFile, Json } from '../contract.ts';
import { StageError } from '../contract.ts';
import { type Conversation, RowError, readConversation } from '../templates/conversation.ts';
import { readYaml } from '../yaml.ts';

export interface Prompt {
  /** What the user asks last: names the prompt in results. */
  readonly text: string;
  readonly conversation: Conversation;
}

/** Error: `bad-prompts`, with the file and, for broken YAML, the line. */
export const readPrompts = async (file: InputFile): Promise<readonly Prompt[]> => {
  const bad = (message: string, line?: number) =>
    new StageError('bad-prompts', message, {
      advice: 'A prompt is a text, {user, system}, or {messages: [{role, content}]}.',
      place: { path: file.name, ...(line === undefined ? {} : { line }) },
    });
  const list = await readYaml(file, bad);
  if (!Array.isArray(list) || list.length === 0) throw bad('the file should hold a list with at least one prompt');
  return list.map((item: Json, i) => {
    try {
      return readPrompt(item);
    } catch (error) {
      if (error instanceof RowError) throw bad(`prompt ${i + 1}: ${error.message}`);
      throw error;
    }
  });
};

const readPrompt = (item: Json): Prompt => {
  if (typeof item === 'string') return fromMessages([{ role: 'user', content: item }]);
  if (item === null || typeof item !== 'object' || Array.isArray(item)) throw new RowError('expected a text or a map');
  const { messages, user, system, tools = null, response_format = null, ...rest } = item as Fields;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw new RowError(`unknown key "${unknown}"`);
  if (messages !== undefined && (user !== undefined || system !== undefined))
    throw new RowError('messages stands alone, without user and system');
  const more = { tools, response_format };
  if (messages !== undefined) return fromMessages(messages, more);
  if (user === undefined) throw new RowError('needs user or messages');
  const said = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: user },
  ];
  return fromMessages(said, more);
};

const fromMessages = (messages: Json, more: Fields = {}): Prompt => {
  const conversation = readConversation(
    { messages, ...more },
    { messages: 'messages', user: '', assistant: '', thinking: '' },
  );
  const last = conversation.messages.findLast(m => m.role === 'user');
  if (!last) throw new RowError('no message is from the user');
  return { text: last.content, conversation };
};

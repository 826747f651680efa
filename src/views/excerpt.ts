/** What a row says, on one line. */
import { visible } from './printable.ts';

type Values = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const END = 150;

const messageText = (message: unknown): string => {
  if (!isObject(message)) return '';
  const { role, content } = message;
  const said = Array.isArray(content)
    ? content.map(part => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('')
    : typeof content === 'string'
      ? content
      : JSON.stringify(content ?? '');
  return `${typeof role === 'string' ? `${role}: ` : ''}${said}`;
};

/** Text of a row: its messages, its question and answer, its text, or else whatever text it has. */
export const excerptOf = (fields: Values): string => {
  const inner = isObject(fields.row) && typeof fields.reason === 'string' ? fields.row : fields;
  const { messages, text, instruction, response, input_ids: ids } = inner;
  // A rendered conversation begins as all others do: what it is about stands at its end.
  if (typeof text === 'string' && Array.isArray(ids) && text.length > END) return oneLine(`…${text.slice(-END)}`);
  if (Array.isArray(messages)) return oneLine(messages.map(messageText).join(' / '));
  if (typeof text === 'string') return oneLine(text);
  if (typeof instruction === 'string')
    return oneLine(typeof response === 'string' ? `${instruction} / ${response}` : instruction);
  const first = Object.values(inner).filter(v => typeof v === 'string');
  return oneLine(first.length > 0 ? first.join(' / ') : JSON.stringify(inner));
};

const oneLine = (text: string): string => visible(text.replace(/\s+/g, ' ').trim());

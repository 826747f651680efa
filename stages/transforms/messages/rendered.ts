/**
 * Takes texts apart that a chat template has rendered already: Harmony, ChatML, Llama 3, [INST], and "### Human:". A Harmony message
 * of the assistant without a channel, as older templates wrote it, is a final one.
 */
import type { Json } from '../../contract.ts';
import { fail } from './turn.ts';

/** Messages in OpenAI's shape, as `readMessage` takes them. */
type Messages = Json[];

const HARMONY =
  /<\|start\|>(?<head>[^<]*?)(?:<\|channel\|>(?<channel>[^<]*?))?(?:<\|constrain\|>(?<type>[^<]*?))?<\|message\|>(?<content>[\s\S]*?)(?:<\|(?<end>end|return|call)\|>|(?=<\|start\|>)|$)/g;

const CHANNEL = /^(\w+)/;
const RECIPIENT = /\bto=([\w.-]+)/;

const harmony = (text: string, at: string): Messages => {
  const messages: Messages = [];
  let thinking = '';
  for (const { groups } of text.matchAll(HARMONY)) {
    const { head = '', channel: channelText = '', content = '' } = groups!;
    const author = /^[\w.:-]+/.exec(head)?.[0] ?? '';
    const to = RECIPIENT.exec(head)?.[1] ?? RECIPIENT.exec(channelText)?.[1];
    const channel = CHANNEL.exec(channelText)?.[1];
    // The template writes this message anew: model, date, effort.
    if (author === 'system') continue;
    if (author === 'developer') {
      if (/^# Tools$/m.test(content)) fail(at, 'functions that are rendered as TypeScript cannot be read back');
      messages.push({ role: 'developer', content: content.replace(/^# Instructions\n\n/, '').trimEnd() });
    } else if (author.startsWith('user')) messages.push({ role: 'user', content });
    else if (author === 'assistant') {
      if (channel === 'analysis' && to === undefined) {
        thinking = [thinking, content].filter(Boolean).join('\n\n');
        continue;
      }
      const message: Record<string, Json> = { role: 'assistant', content };
      if (thinking !== '') message.thinking = thinking;
      thinking = '';
      if (to !== undefined) {
        message.content = '';
        message.tool_calls = [{ name: to.replace(/^functions\./, ''), arguments: content }];
      } else if (channel === 'commentary') message.channel = channel;
      messages.push(message);
    } else messages.push({ role: 'tool', name: author.replace(/^functions\./, ''), content });
  }
  if (thinking !== '') messages.push({ role: 'assistant', channel: 'analysis', content: thinking });
  return messages;
};

/** Blocks that a mark opens with the role in it, each ended by another. */
const blocks =
  (pattern: RegExp) =>
  (text: string): Messages =>
    [...text.matchAll(pattern)].map(({ groups }) => ({ role: groups!.role!.trim(), content: groups!.content!.trim() }));

const CHATML = /<\|im_start\|>(?<role>[^\n<]+)\n(?<content>[\s\S]*?)(?:<\|im_end\|>|(?=<\|im_start\|>)|$)/g;
const LLAMA3 =
  /<\|start_header_id\|>(?<role>[^<]+)<\|end_header_id\|>\s*(?<content>[\s\S]*?)(?:<\|eot_id\|>|<\|eom_id\|>|(?=<\|start_header_id\|>)|$)/g;
const MARKS =
  /(?:^|\n)\s*#{2,3} ?(?<role>Human|User|Instruction|Assistant|Response|System|Input):?[ \t]*\n?(?<content>[\s\S]*?)(?=\n\s*#{2,3} ?(?:Human|User|Instruction|Assistant|Response|System|Input):?|<\/s>|<\|endoftext\|>|$)/g;

const INSTRUCTION = /\[INST\]\s*([\s\S]*?)\s*\[\/INST\]\s*([\s\S]*?)\s*(?=<\/s>|<s>|\[INST\]|$)/g;
const SYSTEM = /^<<SYS>>\s*([\s\S]*?)\s*<<\/SYS>>\s*/;

const inst = (text: string): Messages =>
  [...text.matchAll(INSTRUCTION)].flatMap(([, asked, answer], i): Messages => {
    const system = i === 0 ? SYSTEM.exec(asked!) : null;
    return [
      ...(system ? [{ role: 'system', content: system[1]! }] : []),
      { role: 'user', content: asked!.slice(system?.[0].length ?? 0) },
      ...(answer === '' ? [] : [{ role: 'assistant', content: answer! }]),
    ];
  });

const FORMATS: readonly (readonly [RegExp, (text: string, at: string) => Messages])[] = [
  [/<\|start\|>[^<]*(?:<\|channel\|>|<\|message\|>)/, harmony],
  [/<\|im_start\|>/, blocks(CHATML)],
  [/<\|start_header_id\|>/, blocks(LLAMA3)],
  [/\[INST\]/, inst],
  [
    /(?:^|\n)\s*#{2,3} ?(?:Human|User|Instruction):?[ \t]*\n?[\s\S]*\n\s*#{2,3} ?(?:Assistant|Response):?/,
    blocks(MARKS),
  ],
];

/** The messages of a rendered text; null where it has the marks of no format that is known. */
export const unrendered = (text: string, at: string): Messages | null => {
  const format = FORMATS.find(([marks]) => marks.test(text));
  return format ? format[1](text, at) : null;
};

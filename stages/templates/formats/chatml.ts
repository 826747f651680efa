/**
 * ChatML (https://github.com/openai/openai-python/blob/v0.27.0/chatml.md) as Qwen writes it: reasoning in <think>, functions
 * in <tools>, calls in <tool_call>, results in a turn of the user.
 *
 *     <|im_start|>{role}\n{content}<|im_end|>\n
 */
import { type Message, trainable } from '../conversation.ts';
import { jsonText } from '../json-text.ts';
import { type SegmentWriter, segmentWriter } from '../segments.ts';
import { refuse, type TurnFormat, withInstructions } from './turn-format.ts';

const START = '<|im_start|>';
const END = '<|im_end|>';

const withTools = (system: string, tools: readonly unknown[]): string =>
  `${system === '' ? '' : `${system}\n\n`}# Tools\n\nYou may call one or more functions to assist with the user query.\n\n` +
  'You are provided with function signatures within <tools></tools> XML tags:\n<tools>' +
  tools.map(tool => `\n${jsonText(tool)}`).join('') +
  '\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> ' +
  'XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>';

const callText = ({ name, arguments: args }: NonNullable<Message['calls']>[number]): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${typeof args === 'string' ? args : jsonText(args)}}\n</tool_call>`;

const stripBreaks = (text: string): string => text.replace(/^\n+|\n+$/g, '');

const turn = (out: SegmentWriter, role: string, content: string, fixed = false): void => {
  out.special(START);
  out[fixed ? 'fixed' : 'text'](`${role}\n${content}`);
  out.special(END);
  out.fixed('\n');
};

export const chatml: TurnFormat = {
  name: 'chatml',
  title: 'ChatML',
  specials: [START, END],
  ends: [END],
  render(conversation, options, open) {
    refuse(conversation, options, { title: 'ChatML', without: ['responseFormat'] });
    const { loss, drop_analysis } = options;
    const messages = withInstructions(conversation, options);
    const mayTrain = trainable(messages, loss.last_only);
    const lastUser = messages.findLastIndex(m => m.role === 'user');
    const out = segmentWriter();
    const first = messages[0]?.role === 'system' ? messages[0].content : '';
    if (conversation.tools) turn(out, 'system', withTools(first, conversation.tools), true);
    for (const [i, message] of messages.entries()) {
      const { role, content, calls } = message;
      if (role === 'tool') {
        // Results that follow each other share a turn.
        if (messages[i - 1]?.role === 'tool') continue;
        const end = messages.findIndex((m, k) => k > i && m.role !== 'tool');
        const results = messages.slice(i, end === -1 ? undefined : end);
        turn(out, 'user', results.map(r => `<tool_response>\n${r.content}\n</tool_response>`).join('\n'));
      } else if (role !== 'assistant') {
        if (!(i === 0 && role === 'system' && conversation.tools)) turn(out, role, content, role === 'system');
      } else {
        const may = !open && mayTrain[i]!;
        const keeps = drop_analysis === 'never' || (drop_analysis === 'history' && i > lastUser);
        const thinking = keeps ? message.thinking : undefined;
        const train = may && loss.channels.includes(calls ? 'commentary' : 'final');
        out.special(START);
        out.fixed('assistant\n');
        if (thinking)
          out.text(`<think>\n${stripBreaks(thinking)}\n</think>\n\n`, may && loss.channels.includes('analysis'));
        const said = thinking ? content.replace(/^\n+/, '') : content;
        // One piece: a full stop and the line break behind it may be one token.
        out.text([...(said === '' ? [] : [said]), ...(calls ?? []).map(callText)].join('\n'), train);
        out.special(END, train);
        out.fixed('\n');
      }
    }
    if (open) {
      out.special(START);
      out.fixed('assistant\n');
    }
    return out.segments;
  },
  read(text) {
    const thought = /^\s*<think>([\s\S]*?)(?:<\/think>|$)/.exec(text);
    const rest = thought ? text.slice(thought[0].length) : text;
    const calls = [...rest.matchAll(/<tool_call>([\s\S]*?)(?:<\/tool_call>|$)/g)];
    return {
      analysis: (thought?.[1] ?? '').trim(),
      commentary: calls.map(c => c[1]!.trim()).join('\n\n'),
      final: rest.replace(/<tool_call>[\s\S]*?(?:<\/tool_call>|$)/g, '').trim(),
    };
  },
};

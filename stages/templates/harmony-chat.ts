/** The Harmony format on a model's vocabulary: segments to ids and loss ranges, and generated ids back to channels. */
import { StageError } from '../contract.ts';
import type { Conversation } from './conversation.ts';
import { renderHarmony } from './harmony.ts';
import type { ChatOptions } from './options.ts';
import type { Answer, Chat } from './render.ts';
import { checkVocabulary, encodeSegments } from './segments.ts';
import type { Tokenizer } from './tokenizer.ts';

const specials = ['<|start|>', '<|channel|>', '<|message|>', '<|end|>', '<|return|>', '<|call|>', '<|constrain|>'];

export const harmonyChat = async (
  tokenizer: Tokenizer,
  options: ChatOptions,
): Promise<Pick<Chat, 'prompt' | 'sample' | 'answer' | 'stopIds'>> => {
  if (options.dialect === 'hf' && options.date === undefined)
    throw new StageError('date-missing', 'the dialect "hf" writes the current date into every sample: pin it', {
      advice: 'add `date: YYYY-MM-DD`',
    });
  await checkVocabulary(tokenizer, { format: 'harmony', title: 'Harmony', specials });
  const known = new Map<string, readonly number[]>();
  const id = (name: string) => tokenizer.special(name)!;
  const stopIds = [id('<|return|>'), id('<|call|>')];

  const answer = async (ids: readonly number[]): Promise<Answer> => {
    const found = { analysis: [] as string[], commentary: [] as string[], final: [] as string[] };
    const ends = new Set([id('<|end|>'), ...stopIds]);
    for (let at = 0; at < ids.length; ) {
      const opens = ids.indexOf(id('<|message|>'), at);
      // A model that writes no header says its answer plainly.
      const start = opens < 0 ? at : opens + 1;
      const header = opens < 0 ? '' : await tokenizer.decode(ids.slice(at, opens));
      let end = start;
      while (end < ids.length && !ends.has(ids[end]!)) end++;
      const content = await tokenizer.decode(ids.slice(start, end), opens < 0);
      const channel = /<\|channel\|>(analysis|commentary)/.exec(header)?.[1] as 'analysis' | 'commentary' | undefined;
      if (content !== '') found[channel ?? 'final'].push(content);
      if (stopIds.includes(ids[end]!)) break;
      at = end + 1;
    }
    const join = (texts: readonly string[]) => texts.join('\n\n');
    return {
      final: join(found.final),
      analysis: join(found.analysis),
      commentary: join(found.commentary),
      complete: ids.some(i => stopIds.includes(i)),
    };
  };

  return {
    stopIds,
    answer,
    sample: (conversation: Conversation) =>
      encodeSegments(renderHarmony(conversation, options, false), tokenizer, known),
    prompt: async (conversation, more) => {
      const segments = renderHarmony(conversation, { ...options, ...more }, true);
      const { text, ids } = await encodeSegments(segments, tokenizer, known);
      return { text, ids };
    },
  };
};

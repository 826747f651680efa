/**
 * Mistral's format on its Tekken vocabularies, as mistral-common renders it: version 7 where the vocabulary has a token for the
 * system prompt, else version 3, in which instructions stand before the user's last message.
 *
 *     <s>[SYSTEM_PROMPT]{system}[/SYSTEM_PROMPT][INST]{user}[/INST]{assistant}</s>
 */
import { trainable } from '../conversation.ts';
import { segmentWriter } from '../segments.ts';
import { alternating, places, refuse, type TurnFormat, withInstructions } from './turn-format.ts';

const title = 'Mistral';

export const mistral: TurnFormat = {
  name: 'mistral',
  title,
  specials: ['<s>', '[INST]', '[/INST]', '</s>'],
  ends: ['</s>'],
  render(conversation, options, open, tokenizer) {
    refuse(conversation, options, { title, without: ['tools', 'thinking', 'responseFormat'] });
    const { loss } = options;
    const messages = withInstructions(conversation, options);
    const mayTrain = trainable(messages, loss.last_only);
    const { system, turns } = alternating(messages, { title, place: places(conversation, messages) });
    const apart = ['[SYSTEM_PROMPT]', '[/SYSTEM_PROMPT]'].every(name => tokenizer.special(name) !== undefined);
    const lastUser = turns.findLast(t => t.message.role === 'user')?.at;
    const out = segmentWriter();
    out.special('<s>');
    if (system !== undefined && apart) {
      out.special('[SYSTEM_PROMPT]');
      out.fixed(system);
      out.special('[/SYSTEM_PROMPT]');
    }
    for (const { at, message } of turns) {
      if (message.role === 'user') {
        const before = system !== undefined && !apart && at === lastUser ? `${system}\n\n` : '';
        out.special('[INST]');
        out.text(before + message.content);
        out.special('[/INST]');
      } else {
        const train = !open && mayTrain[at]! && loss.channels.includes('final');
        out.text(message.content.replace(/ +$/, ''), train);
        out.special('</s>', train);
      }
    }
    return out.segments;
  },
};

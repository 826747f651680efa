/**
 * The format of Gemma, up to Gemma 3: no system turn, instructions stand before what the user says first.
 *
 *     <bos><start_of_turn>user\n{content}<end_of_turn>\n<start_of_turn>model\n{content}<end_of_turn>\n
 */
import { trainable } from '../conversation.ts';
import { segmentWriter } from '../segments.ts';
import { alternating, places, refuse, strip, type TurnFormat, withInstructions } from './turn-format.ts';

const title = 'Gemma';

export const gemma: TurnFormat = {
  name: 'gemma',
  title,
  specials: ['<bos>', '<start_of_turn>', '<end_of_turn>'],
  ends: ['<end_of_turn>', '<eos>'],
  render(conversation, options, open) {
    refuse(conversation, options, { title, without: ['tools', 'thinking', 'responseFormat'] });
    const { loss } = options;
    const messages = withInstructions(conversation, options);
    const mayTrain = trainable(messages, loss.last_only);
    const { system, turns } = alternating(messages, { title, place: places(conversation, messages) });
    const out = segmentWriter();
    out.special('<bos>');
    for (const [n, { at, message }] of turns.entries()) {
      const train = !open && mayTrain[at]! && loss.channels.includes('final');
      const content = strip(message.content);
      out.special('<start_of_turn>');
      if (message.role === 'assistant') {
        out.fixed('model\n');
        out.text(content, train);
      } else out.text(`user\n${n === 0 && system !== undefined ? `${system}\n\n` : ''}${content}`);
      out.special('<end_of_turn>', train);
      out.fixed('\n');
    }
    if (open) {
      out.special('<start_of_turn>');
      out.fixed('model\n');
    }
    return out.segments;
  },
};

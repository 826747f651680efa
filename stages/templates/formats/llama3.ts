/**
 * Llama 3's format (Meta's prompt format of Llama 3; 3.1 and later differ by a system message that tells dates).
 *
 *     <|begin_of_text|><|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>
 */
import { trainable } from '../conversation.ts';
import { segmentWriter } from '../segments.ts';
import { refuse, strip, type TurnFormat, withInstructions } from './turn-format.ts';

const title = 'Llama 3';

export const llama3: TurnFormat = {
  name: 'llama3',
  title,
  specials: ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
  ends: ['<|eot_id|>', '<|eom_id|>', '<|end_of_text|>'],
  render(conversation, options, open) {
    refuse(conversation, options, { title, without: ['tools', 'thinking', 'responseFormat'] });
    const { loss } = options;
    const messages = withInstructions(conversation, options);
    const mayTrain = trainable(messages, loss.last_only);
    const out = segmentWriter();
    const header = (role: string) => {
      out.special('<|start_header_id|>');
      out.fixed(role);
      out.special('<|end_header_id|>');
    };
    out.special('<|begin_of_text|>');
    for (const [i, { role, content }] of messages.entries()) {
      const train = !open && mayTrain[i]! && loss.channels.includes('final');
      header(role);
      if (role === 'assistant') {
        out.fixed('\n\n');
        out.text(strip(content), train);
      } else out[role === 'system' ? 'fixed' : 'text'](`\n\n${strip(content)}`);
      out.special('<|eot_id|>', train);
    }
    if (open) {
      header('assistant');
      out.fixed('\n\n');
    }
    return out.segments;
  },
};

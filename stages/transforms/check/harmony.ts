/** The four checks of a rendered Harmony text, by the names that tutorials give them; each says what is wrong, or null. */

const START = '<|start|>';
const MESSAGE = '<|message|>';

const holds = (text: string, mark: string): string | null => (text.includes(mark) ? null : `there is no ${mark}`);

export const HARMONY_CHECKS: Readonly<Record<string, (text: string) => string | null>> = {
  has_user_tag: text => holds(text, `${START}user`),
  has_assistant_tag: text => holds(text, `${START}assistant`),
  /** Every message of the assistant names its channel: without one the model learns to answer in none. */
  has_channel_tag(text) {
    const without = /<\|start\|>assistant[^<]*<\|message\|>/.exec(text);
    if (without) return `a message of the assistant has no channel: ${without[0]}`;
    return holds(text, '<|channel|>');
  },
  has_message_tags(text) {
    if (!text.includes(MESSAGE)) return `there is no ${MESSAGE}`;
    const headers = text.split(START).slice(1);
    const open = headers.find(header => !header.includes(MESSAGE));
    return open === undefined ? null : `a message has a header and no ${MESSAGE}: ${START}${open.slice(0, 40)}`;
  },
};

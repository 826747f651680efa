/** The names that data sets have for those who speak. */

/** `call`: the assistant calls a function; `thinking`: what the assistant thinks before its next message. */
export type Speaker = 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'call' | 'thinking';

const NAMES: Readonly<Record<Speaker, string>> = {
  system: 'system sys system_prompt',
  developer: 'developer',
  user: 'user human prompter customer client question instruction input query',
  assistant: 'assistant gpt chatgpt gpt-3.5 gpt-4 gpt4 bot chatbot ai model bing bard claude output answer response',
  tool: 'tool tool_response tool_result tool_results tool-response function function_response function-response observation ipython environment',
  call: 'function_call function-call tool_call tool_calls tool-call action',
  thinking: 'thinking thought thoughts reasoning analysis',
};

const SPEAKERS = new Map<string, Speaker>(
  Object.entries(NAMES).flatMap(([speaker, names]) =>
    names.split(' ').map(name => [name, speaker as Speaker] as const),
  ),
);

/** Who speaks under a name, in any case; `own` are names of the recipe's. */
export const speakerOf = (name: string, own: Readonly<Record<string, Speaker>>): Speaker | undefined => {
  if (Object.hasOwn(own, name)) return own[name];
  return SPEAKERS.get(name.trim().toLowerCase());
};

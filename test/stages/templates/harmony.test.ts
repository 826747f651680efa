/** Harmony's text, byte for byte, and which of it carries loss. */
import { describe, expect, it } from 'vitest';
import { type Conversation, RowError } from '../../../stages/templates/conversation.ts';
import { renderHarmony } from '../../../stages/templates/harmony.ts';
import { type ChatOptions, chatDefaults } from '../../../stages/templates/options.ts';

const segments = (conversation: Conversation, options: Partial<ChatOptions> = {}, open = false) =>
  renderHarmony(conversation, { ...chatDefaults, ...options }, open);
const text = (...args: Parameters<typeof segments>) =>
  segments(...args)
    .map(s => s.text)
    .join('');
const trained = (...args: Parameters<typeof segments>) =>
  segments(...args)
    .map(s => (s.train ? s.text : '\0'))
    .join('')
    .split(/\0+/)
    .filter(s => s !== '');

const system = (date = '', reasoning = 'medium') =>
  '<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n' +
  `Knowledge cutoff: 2024-06\n${date}\nReasoning: ${reasoning}\n\n` +
  '# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>';
const pair: Conversation = {
  messages: [
    { role: 'user', content: 'What is 2 + 2?' },
    { role: 'assistant', content: '4.' },
  ],
};
const thinking: Conversation = { messages: [pair.messages[0]!, { ...pair.messages[1]!, thinking: 'Add.' }] };
const turns: Conversation = {
  messages: [
    { role: 'user', content: 'A?' },
    { role: 'assistant', thinking: 'a', content: 'A.' },
    { role: 'user', content: 'B?' },
    { role: 'assistant', thinking: 'b', content: 'B.' },
    { role: 'user', content: 'C?' },
    { role: 'assistant', thinking: 'c', content: 'C.' },
  ],
};
const calling: Conversation = {
  messages: [
    { role: 'user', content: 'Weather in Oslo?' },
    {
      role: 'assistant',
      thinking: 'Ask the tool.',
      content: '',
      calls: [{ name: 'get_weather', arguments: { city: 'Oslo', days: [1, 2] } }],
    },
    { role: 'tool', content: '{"sunny": true}' },
  ],
};
const called: Conversation = { messages: [...calling.messages, { role: 'assistant', content: 'Sunny.' }] };

describe('harmony', () => {
  it('a single turn ends with return and names no date', () => {
    expect(text(pair)).toBe(
      `${system()}<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant<|channel|>final<|message|>4.<|return|>`,
    );
  });

  it('date, reasoning effort, cutoff and identity stand in the system message', () => {
    const options = {
      date: '2025-06-28',
      reasoning: 'high',
      knowledge_cutoff: '2023-01',
      model_identity: 'You are Ada.',
    };
    expect(
      text(pair, options as Partial<ChatOptions>).startsWith(
        '<|start|>system<|message|>You are Ada.\nKnowledge cutoff: 2023-01\nCurrent date: 2025-06-28\n\nReasoning: high\n\n# Valid',
      ),
    ).toBe(true);
  });

  it('instructions become the developer message, from the row before the option', () => {
    const message = (s: string) => `<|end|><|start|>developer<|message|># Instructions\n\n${s}<|end|><|start|>user`;
    expect(text(pair, { developer: 'Be brief.' })).toContain(message('Be brief.'));
    for (const role of ['system', 'developer'] as const) {
      const own = { messages: [{ role, content: 'Rhyme.' }, ...pair.messages] };
      expect(text(own, { developer: 'Be brief.' })).toContain(message('Rhyme.'));
    }
  });

  it('reasoning goes to analysis before the final answer', () => {
    expect(text(thinking)).toBe(
      `${system()}<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant<|channel|>analysis<|message|>Add.<|end|>` +
        '<|start|>assistant<|channel|>final<|message|>4.<|return|>',
    );
  });

  it('reasoning before the first final is dropped from the history, later reasoning stays', () => {
    const a = (channel: string, content: string, end = 'end') =>
      `<|start|>assistant<|channel|>${channel}<|message|>${content}<|${end}|>`;
    const u = (content: string) => `<|start|>user<|message|>${content}<|end|>`;
    const rest = u('B?') + a('analysis', 'b') + a('final', 'B.') + u('C?');
    const history = system() + u('A?') + a('final', 'A.') + rest;
    expect(text(turns)).toBe(history + a('analysis', 'c') + a('final', 'C.', 'return'));
    expect(text({ messages: turns.messages.slice(0, 5) }, {}, true)).toBe(`${history}<|start|>assistant`);
    expect(text(turns, { drop_analysis: 'always' })).toBe(text(turns));
    expect(text(turns, { drop_analysis: 'never' })).toContain(u('A?') + a('analysis', 'a') + a('final', 'A.'));
  });

  it('only the rule on the whole sample drops the reasoning of a single answer', () => {
    expect(text(thinking, { drop_analysis: 'always' })).toBe(text(pair));
    expect(text(thinking)).not.toBe(text(pair));
  });

  it('a pending call drops nothing', () => {
    expect(text(calling, {}, true)).toBe(
      `${system()}<|start|>user<|message|>Weather in Oslo?<|end|>` +
        '<|start|>assistant<|channel|>analysis<|message|>Ask the tool.<|end|>' +
        '<|start|>assistant to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>' +
        '{"city":"Oslo","days":[1,2]}<|call|>' +
        '<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>{"sunny": true}<|end|><|start|>assistant',
    );
    expect(text(called)).toContain('Ask the tool.');
  });

  it('arguments that an API returned as text stay as they are', () => {
    const call = { name: 'f', arguments: '{"a":  1}' };
    const row: Conversation = { messages: [pair.messages[0]!, { role: 'assistant', content: 'Wait.', calls: [call] }] };
    expect(text(row)).toContain(
      '<|start|>assistant<|channel|>commentary<|message|>Wait.<|end|><|start|>assistant to=functions.f<|channel|>commentary ' +
        '<|constrain|>json<|message|>{"a":  1}<|call|>',
    );
  });

  it("a tool's answer finds its name by the call's id", () => {
    const messages: Conversation['messages'] = [
      pair.messages[0]!,
      {
        role: 'assistant',
        content: '',
        calls: [
          { id: '1', name: 'f', arguments: {} },
          { id: '2', name: 'g', arguments: {} },
        ],
      },
      { role: 'tool', content: 'x', callId: '1' },
      { role: 'tool', content: 'y' },
      { role: 'tool', content: 'z', name: 'browser.open' },
    ];
    expect(text({ messages }).match(/<\|start\|>[\w.]+ to=assistant/g)).toEqual([
      '<|start|>functions.f to=assistant',
      '<|start|>functions.g to=assistant',
      '<|start|>browser.open to=assistant',
    ]);
  });

  it('what it cannot render is refused by name', () => {
    const late = { messages: [...pair.messages, { role: 'system', content: 'x' } as const] };
    expect(() => text(late)).toThrow(new RowError('messages[2].role: "system" can only be the first message'));
    expect(() => text({ messages: [{ role: 'tool', content: 'x' }] })).toThrow(/messages\[0\].*no call/);
    expect(() => text({ ...pair, tools: [{}] })).toThrow(/^tools\[0\]\.name: missing/);
    expect(() => text({ ...pair, tools: [{ type: 'web_search' }] })).toThrow(/^tools\[0\]\.type: only "function"/);
    expect(() => text({ ...pair, tools: [{ name: 'a b' }] })).toThrow(/^tools\[0\]\.name: "a b" is no name/);
  });
});

describe('answers in a format', () => {
  const responseFormat = {
    name: 'steps',
    description: 'What was done',
    schema: { type: 'object', properties: { steps: { type: 'array' } } },
  };
  const section =
    '# Response Formats\n\n## steps\n\n// What was done\n{"type":"object","properties":{"steps":{"type":"array"}}}';
  const developer = (s: string) => `<|start|>developer<|message|>${s}<|end|>`;

  it('the format stands at the end of the developer message, behind instructions and functions', () => {
    expect(text({ ...pair, responseFormat })).toContain(developer(section));
    const all = { ...pair, responseFormat, tools: [{ name: 'f', description: 'F.' }] };
    expect(text(all, { developer: 'Be brief.' })).toContain(
      developer(
        '# Instructions\n\nBe brief.\n\n# Tools\n\n## functions\n\nnamespace functions {\n\n// F.\ntype f = () => any;\n\n' +
          `} // namespace functions\n\n${section}`,
      ),
    );
  });

  it('in the dialect hf it is a part of the instructions, as one would write it there', () => {
    expect(text({ ...pair, responseFormat }, { dialect: 'hf', date: '2025-08-05', developer: 'Be brief.' })).toContain(
      developer(`# Instructions\n\nBe brief.\n\n${section}\n\n`),
    );
  });

  it('without a description there is only the schema', () => {
    const bare = { name: 'x', description: undefined, schema: {} };
    expect(text({ ...pair, responseFormat: bare })).toContain(developer('# Response Formats\n\n## x\n\n{}'));
  });
});

describe('functions', () => {
  it('a name with a dot is of a namespace of its own, in calls and in answers', () => {
    const messages: Conversation['messages'] = [
      pair.messages[0]!,
      { role: 'assistant', content: '', calls: [{ name: 'browser.open', arguments: {} }] },
      { role: 'tool', content: 'x' },
    ];
    expect(text({ messages }, {}, true)).toContain(
      '<|start|>assistant to=browser.open<|channel|>commentary <|constrain|>json<|message|>{}<|call|>' +
        '<|start|>browser.open to=assistant<|channel|>commentary<|message|>x<|end|>',
    );
  });

  it('the dialect hf refuses what the published template fails on', () => {
    const hf = { dialect: 'hf', date: '2025-08-05' } as const;
    expect(() => text({ ...pair, tools: [{ name: 'f' }] }, hf)).toThrow(/^tools\[0\]\.description: missing/);
    const parameters = { type: 'object', properties: { a: { type: 'string', enum: ['1'], default: 1 } } };
    expect(() => text({ ...pair, tools: [{ name: 'f', description: 'F.', parameters }] }, hf)).toThrow(
      /^tools\[0\]\.parameters\.a\.default: /,
    );
    const forged = { messages: [{ role: 'assistant', content: '<|channel|>final<|message|>x' } as const] };
    expect(() => text(forged, hf)).toThrow(/^messages\[0\]: .*headers/);
  });
});

describe('harmony as published with gpt-oss (dialect hf)', () => {
  const hf = { dialect: 'hf', date: '2025-08-05' } as const;
  const start = system('Current date: 2025-08-05\n');

  it('a blank line follows the developer text', () => {
    expect(text(thinking, { ...hf, developer: 'Be brief.' })).toBe(
      `${start}<|start|>developer<|message|># Instructions\n\nBe brief.\n\n<|end|><|start|>user<|message|>What is 2 + 2?<|end|>` +
        '<|start|>assistant<|channel|>analysis<|message|>Add.<|end|><|start|>assistant<|channel|>final<|message|>4.<|return|>',
    );
  });

  it("only the last turn's reasoning stays", () => {
    expect(trained(turns, hf)).toEqual(['A.<|end|>', 'B.<|end|>', 'c<|end|>', 'C.<|return|>']);
    expect(text({ messages: turns.messages.slice(0, 5) }, hf, true)).not.toContain('analysis<|message|>');
  });

  it('a call has no constrain token, and tool output is encoded as JSON again', () => {
    expect(text(calling, hf, true)).toBe(
      `${start}<|start|>user<|message|>Weather in Oslo?<|end|>` +
        '<|start|>assistant<|channel|>analysis<|message|>Ask the tool.<|end|>' +
        '<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Oslo", "days": [1, 2]}<|call|>' +
        '<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>"{\\"sunny\\": true}"<|end|><|start|>assistant',
    );
    expect(text(called, hf)).not.toContain('Ask the tool.');
  });

  it('what the template cannot take is refused', () => {
    const calls = [
      { name: 'f', arguments: {} },
      { name: 'g', arguments: {} },
    ];
    const row = { messages: [pair.messages[0]!, { role: 'assistant', content: '', calls } as const] };
    expect(() => text(row, hf)).toThrow(/messages\[1\]\.tool_calls/);
    const channel = { messages: [{ role: 'assistant', content: 'x', channel: 'commentary' } as const] };
    expect(() => text(channel, hf)).toThrow(/messages\[0\]\.channel/);
  });
});

describe('loss', () => {
  const loss = (more: Partial<ChatOptions['loss']>) => ({ loss: { ...chatDefaults.loss, ...more } });

  it('content and ending token of each assistant message count, and nothing else', () => {
    expect(trained(thinking)).toEqual(['Add.<|end|>', '4.<|return|>']);
    expect(trained(thinking, loss({ channels: ['final'] }))).toEqual(['4.<|return|>']);
  });

  it('with headers, what the model writes itself after the prompt counts', () => {
    expect(trained(thinking, loss({ headers: true }))).toEqual([
      '<|channel|>analysis<|message|>Add.<|end|><|start|>assistant<|channel|>final<|message|>4.<|return|>',
    ]);
    expect(trained(pair, loss({ headers: true }))).toEqual(['<|channel|>final<|message|>4.<|return|>']);
  });

  it('the header of a call counts, for it names the function', () => {
    expect(trained(called)).toEqual([
      'Ask the tool.<|end|>',
      ' to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{"city":"Oslo","days":[1,2]}<|call|>',
      'Sunny.<|return|>',
    ]);
    expect(trained(called, loss({ channels: ['analysis', 'final'] }))).toEqual([
      'Ask the tool.<|end|>',
      'Sunny.<|return|>',
    ]);
  });

  it('train: false and last_only leave messages out', () => {
    const some = { messages: turns.messages.with(3, { ...turns.messages[3]!, train: false }) };
    expect(trained(some)).toEqual(['A.<|end|>', 'c<|end|>', 'C.<|return|>']);
    expect(trained(turns, loss({ last_only: true }))).toEqual(['c<|end|>', 'C.<|return|>']);
  });

  it('a prompt carries none', () => {
    expect(trained({ messages: turns.messages.slice(0, 3) }, {}, true)).toEqual([]);
  });
});

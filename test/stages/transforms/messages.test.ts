import { describe, expect, test } from 'vitest';
import type { Fields, Json } from '../../../stages/contract.ts';
import messages, { type Options } from '../../../stages/transforms/messages.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const run = async (fields: Fields, given: object = {}) =>
  runStage(messages, [row('a', fields)], optionsOf<Options>('transforms/messages', given));

const of = async (fields: Fields, given: object = {}): Promise<Fields> => {
  const { rows, rejects } = await run(fields, given);
  expect(rejects.map(r => r.reason)).toEqual([]);
  return rows[0]!.fields;
};

const list = async (fields: Fields, given: object = {}) => (await of(fields, given)).messages;
const why = async (fields: Fields, given: object = {}) => {
  const { rows, rejects } = await run(fields, given);
  expect(rows).toEqual([]);
  return rejects[0]!.reason;
};

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string, more: Fields = {}) => ({ role: 'assistant', content, ...more });
const PAIR = [user('Why?'), assistant('Because.')];
const call = (name: string, given: Json, id?: string) => ({
  ...(id ? { id } : {}),
  type: 'function',
  function: { name, arguments: given },
});

describe('lists of messages', () => {
  test.each<[string, Fields, object?]>([
    ['OpenAI', { messages: PAIR }],
    [
      'ShareGPT',
      {
        conversations: [
          { from: 'human', value: 'Why?' },
          { from: 'gpt', value: 'Because.' },
        ],
      },
    ],
    [
      'Gemini',
      {
        contents: [
          { role: 'user', parts: [{ text: 'Why?' }] },
          { role: 'model', parts: [{ text: 'Because.' }] },
        ],
      },
    ],
    [
      'parts of text',
      {
        messages: [
          user('Why?'),
          {
            role: 'assistant',
            content: [
              { type: 'text', text: 'Be' },
              { type: 'text', text: 'cause.' },
            ],
          },
        ],
      },
    ],
    [
      'OpenAssistant',
      {
        dialog: [
          { speaker: 'prompter', text: 'Why?' },
          { speaker: 'assistant', text: 'Because.' },
        ],
      },
    ],
    ['texts by turns', { dialogue: ['Why?', 'Because.'] }],
    ['pairs in a list', { conversation: [{ human: 'Why?', assistant: 'Because.' }] }],
    ['Capybara', { conversation: [{ input: 'Why?', output: 'Because.' }] }],
    [
      'nulls of fixed columns',
      { messages: [{ ...user('Why?'), thinking: null, tool_calls: null }, assistant('Because.', { name: null })] },
    ],
    ['as JSON in a text', { messages: JSON.stringify(PAIR) }, { shape: 'messages' }],
    ['in a field of another name', { talk: PAIR }, { field: 'talk' }],
    [
      'exported trees',
      {
        messages: [
          { author: { role: 'user' }, content: { parts: ['Why?'] } },
          { author: { role: 'assistant' }, content: { parts: ['Because.'] } },
        ],
      },
    ],
    [
      'names of its own',
      {
        messages: [
          { role: 'visitor', content: 'Why?' },
          { role: 'agent', content: 'Because.' },
        ],
      },
      { roles: { visitor: 'user', agent: 'assistant' } },
    ],
  ])('%s', async (_, fields, given) => expect(await list(fields, given)).toEqual(PAIR));

  test.each(['human', 'Human', 'user', 'prompter', 'USER'])('%s is the user', async from => {
    expect(
      await list({
        conversations: [
          { from, value: 'Why?' },
          { from: 'bing', value: 'Because.' },
        ],
      }),
    ).toEqual(PAIR);
  });

  test('several turns, a system message and messages without loss', async () => {
    const conversations = [
      { from: 'system', value: 'Be brief.' },
      { from: 'human', value: 'a' },
      { from: 'gpt', value: 'b', weight: 0 },
      { from: 'human', value: 'c' },
      { from: 'gpt', value: 'd', loss: true },
    ];
    const expected = [
      { role: 'system', content: 'Be brief.' },
      user('a'),
      assistant('b', { train: false }),
      user('c'),
      assistant('d', { train: true }),
    ];
    expect(await list({ conversations })).toEqual(expected);
    expect(await list({ conversations }, { system: 'drop' })).toEqual(expected.slice(1));
  });
});

describe('columns', () => {
  test.each<[string, Fields, object?]>([
    ['instruction and response', { instruction: 'Why?', response: 'Because.' }],
    ['Alpaca without input', { instruction: 'Why?', input: '', output: 'Because.' }],
    ['question and answer', { question: 'Why?', answer: 'Because.' }],
    ['prompt and completion', { prompt: 'Why?', completion: 'Because.' }],
    ['lists in both', { prompt: [user('Why?')], completion: [assistant('Because.')] }],
    [
      'input and output, with roles before them',
      { input: 'user: Why?', output: 'assistant: Because.' },
      { role_prefixes: true },
    ],
    ['names of its own', { ask: 'Why?', say: 'Because.' }, { columns: { user: 'ask', assistant: 'say' } }],
  ])('%s', async (_, fields, given) => expect(await list(fields, given)).toEqual(PAIR));

  test('an input stands below the instruction, history before it, and the system message first', async () => {
    expect(
      await list({
        system: 'Be brief.',
        instruction: 'Translate.',
        input: 'Bonjour',
        output: 'Hello',
        history: [['a', 'b']],
      }),
    ).toEqual([
      { role: 'system', content: 'Be brief.' },
      user('a'),
      assistant('b'),
      user('Translate.\n\nBonjour'),
      assistant('Hello'),
    ]);
  });

  test('the columns of Multilingual-Thinking, and its messages', async () => {
    const columns = {
      reasoning_language: 'French',
      developer: 'You answer in rhymes.',
      user: 'Why?',
      analysis: 'Réfléchissons.',
      final: 'Because.',
    };
    const thinking = assistant('Because.', { thinking: 'Réfléchissons.' });
    expect(await of(columns)).toEqual({
      reasoning_language: 'French',
      messages: [{ role: 'developer', content: 'You answer in rhymes.' }, user('Why?'), thinking],
    });
    const system = { role: 'system', content: 'reasoning language: French\n\nYou answer in rhymes.' };
    const own = [{ ...system, thinking: null }, { ...user('Why?'), thinking: null }, thinking];
    expect(await of({ ...columns, messages: own }, { keep: ['reasoning_language'] })).toEqual({
      reasoning_language: 'French',
      messages: [system, user('Why?'), thinking],
    });
  });
});

describe('reasoning', () => {
  const thought = [user('Why?'), assistant('Because.', { thinking: 'Hm.' })];
  test.each<[string, Json]>([
    ['in a key of its own', assistant('Because.', { thinking: 'Hm.' })],
    ['as servers give it', assistant('Because.', { reasoning_content: 'Hm.' })],
    ['between tags', assistant('<think>\nHm.\n</think>\n\nBecause.')],
    ['with the opening tag in the prompt', assistant('Hm.</think>\nBecause.')],
    [
      'in blocks',
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.' },
          { type: 'text', text: 'Because.' },
        ],
      },
    ],
    [
      'as Sky-T1 has it',
      assistant('<|begin_of_thought|>Hm.<|end_of_thought|>\n<|begin_of_solution|>Because.<|end_of_solution|>'),
    ],
    ['as a structured answer', { role: 'assistant', content: '', thought: 'Hm.', answer: 'Because.' }],
  ])('%s', async (_, answer) => expect(await list({ messages: [user('Why?'), answer] })).toEqual(thought));

  test('in a message of the analysis channel, or of a thinker, it joins the answer', async () => {
    const channel = [
      user('Why?'),
      assistant('Hm.', { channel: 'analysis' }),
      assistant('Because.', { channel: 'final' }),
    ];
    expect(await list({ messages: channel })).toEqual([
      user('Why?'),
      assistant('Because.', { thinking: 'Hm.', channel: 'final' }),
    ]);
    const thinker = [
      { from: 'human', value: 'Why?' },
      { from: 'thought', value: 'Hm.' },
      { from: 'gpt', value: 'Because.' },
    ];
    expect(await list({ conversations: thinker })).toEqual(thought);
  });

  test('steps stand below the thought', async () => {
    const answer = { role: 'assistant', content: '', thought: 'Hm.', steps: ['first', 'second'], answer: 'Because.' };
    expect(await list({ messages: [user('Why?'), answer] })).toEqual([
      user('Why?'),
      assistant('Because.', { thinking: 'Hm.\n\n1. first\n2. second' }),
    ]);
  });

  test('tags stay where they are to stay', async () => {
    const answer = assistant('<think>Hm.</think>Because.');
    expect(await list({ messages: [user('Why?'), answer] }, { tags: false })).toEqual([user('Why?'), answer]);
  });
});

describe('calls of functions', () => {
  const tools = [
    {
      name: 'weather',
      description: 'Weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  ];
  const expectedTools = [{ type: 'function', function: tools[0]! }];
  const after = assistant('It rains.');
  const expected = (id?: string) => [
    user('Rain?'),
    assistant('', { tool_calls: [call('weather', { city: 'Rome' }, id)] }),
    { role: 'tool', content: '{"rain":true}', name: 'weather', ...(id ? { tool_call_id: id } : {}) },
    after,
  ];

  test.each<[string, Fields, string?]>([
    [
      'OpenAI',
      {
        messages: [
          user('Rain?'),
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }],
          },
          { role: 'tool', tool_call_id: 'c1', content: '{"rain":true}' },
          after,
        ],
        tools: [{ type: 'function', function: tools[0]! }],
      },
      'c1',
    ],
    [
      'OpenAI before tools',
      {
        messages: [
          user('Rain?'),
          { role: 'assistant', content: null, function_call: { name: 'weather', arguments: '{"city":"Rome"}' } },
          { role: 'function', name: 'weather', content: '{"rain":true}' },
          after,
        ],
        functions: tools,
      },
    ],
    [
      'ShareGPT with JSON',
      {
        conversations: [
          { from: 'human', value: 'Rain?' },
          { from: 'function_call', value: '{"name":"weather","arguments":{"city":"Rome"}}' },
          { from: 'observation', value: '{"rain":true}' },
          { from: 'gpt', value: 'It rains.' },
        ],
        tools: JSON.stringify(tools),
      },
    ],
    [
      'Hermes',
      {
        conversations: [
          { from: 'human', value: 'Rain?' },
          { from: 'gpt', value: '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>' },
          { from: 'tool', value: '<tool_response>\n{"rain":true}\n</tool_response>' },
          { from: 'gpt', value: 'It rains.' },
        ],
        tools,
      },
    ],
    [
      'Anthropic',
      {
        messages: [
          user('Rain?'),
          { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Rome' } }] },
          {
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: '{"rain":true}' }] }],
          },
          after,
        ],
        tools: [{ name: 'weather', description: 'Weather', input_schema: tools[0]!.parameters }],
      },
      't1',
    ],
    [
      'Gemini',
      {
        contents: [
          { role: 'user', parts: [{ text: 'Rain?' }] },
          { role: 'model', parts: [{ functionCall: { name: 'weather', args: { city: 'Rome' } } }] },
          { role: 'function', parts: [{ functionResponse: { name: 'weather', response: { rain: true } } }] },
          { role: 'model', parts: [{ text: 'It rains.' }] },
        ],
        tools,
      },
    ],
  ])('%s', async (_, fields, id) => {
    const out = await of(fields);
    expect(out.messages).toEqual(expected(id));
    expect(out.tools).toEqual(expectedTools);
  });

  test('two calls are answered each by its own result, whatever the order', async () => {
    const two = [
      user('Rain?'),
      assistant('', { tool_calls: [call('weather', { city: 'Rome' }, 'a'), call('time', {}, 'b')] }),
      { role: 'tool', tool_call_id: 'b', content: '9' },
      { role: 'tool', tool_call_id: 'a', content: 'no' },
      assistant('No.'),
    ];
    expect(((await list({ messages: two })) as Fields[]).map(m => m.name ?? null)).toEqual([
      null,
      null,
      'time',
      'weather',
      null,
    ]);
  });

  test('text and reasoning beside a call stay', async () => {
    const beside = assistant('I look.', { thinking: 'Hm.', tool_calls: [call('weather', {})] });
    expect(await list({ messages: [user('Rain?'), beside] })).toEqual([user('Rain?'), beside]);
  });
});

describe('texts that were rendered', () => {
  test.each<[string, string]>([
    [
      'Harmony',
      '<|start|>system<|message|>You are ChatGPT.<|end|><|start|>user<|message|>Why?<|end|><|start|>assistant<|channel|>final<|message|>Because.<|return|>',
    ],
    ['Harmony without a channel', '<|start|>user<|message|>Why?<|end|><|start|>assistant<|message|>Because.<|end|>'],
    ['ChatML', '<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nBecause.<|im_end|>\n'],
    [
      'Llama 3',
      '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nBecause.<|eot_id|>',
    ],
    ['[INST]', '<s>[INST] Why? [/INST] Because. </s>'],
    ['marks', '### Human: Why?\n### Assistant: Because.'],
    ['Alpaca’s prompt', 'Below is an instruction.\n\n### Instruction:\nWhy?\n\n### Response:\nBecause.</s>'],
  ])('%s', async (_, text) => expect(await list({ text })).toEqual(PAIR));

  test('Harmony with instructions, reasoning and a call', async () => {
    const text =
      '<|start|>developer<|message|># Instructions\n\nBe brief.<|end|><|start|>user<|message|>Rain?<|end|>' +
      '<|start|>assistant<|channel|>analysis<|message|>I look.<|end|>' +
      '<|start|>assistant to=functions.weather<|channel|>commentary <|constrain|>json<|message|>{"city":"Rome"}<|call|>' +
      '<|start|>functions.weather to=assistant<|channel|>commentary<|message|>no<|end|>' +
      '<|start|>assistant<|channel|>final<|message|>No.<|return|>';
    expect(await list({ text })).toEqual([
      { role: 'developer', content: 'Be brief.' },
      user('Rain?'),
      assistant('', { thinking: 'I look.', tool_calls: [call('weather', { city: 'Rome' })] }),
      { role: 'tool', content: 'no', name: 'weather' },
      assistant('No.'),
    ]);
  });

  test('[INST] with a system prompt and several turns', async () => {
    const text = '<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\na [/INST] b </s><s>[INST] c [/INST] d </s>';
    expect(await list({ text })).toEqual([
      { role: 'system', content: 'Be brief.' },
      user('a'),
      assistant('b'),
      user('c'),
      assistant('d'),
    ]);
  });
});

describe('what stands at the end, and neighbours of one role', () => {
  const open = [...PAIR, user('And?')];
  test('a question that nobody answers is taken off, stays, or rejects the row', async () => {
    expect(await list({ messages: open })).toEqual(PAIR);
    expect(await list({ messages: open }, { unanswered: 'keep' })).toEqual(open);
    expect(await why({ messages: open }, { unanswered: 'reject' })).toBe('messages[2]: nobody answers this message');
  });
  test('neighbours are joined on request', async () => {
    const twice = [user('a'), user('b'), assistant('c', { thinking: 'x' }), assistant('d')];
    expect(await list({ messages: twice })).toEqual(twice);
    expect(await list({ messages: twice }, { consecutive: 'merge' })).toEqual([
      user('a\n\nb'),
      assistant('c\n\nd', { thinking: 'x' }),
    ]);
  });
});

describe('what cannot be read is a reject that says what and where', () => {
  test.each<[Fields, string, object?]>([
    [
      { messages: [user('a'), { role: 'narrator', content: 'b' }] },
      'messages[1].role: "narrator" is no role that is known; say which with roles: { "narrator": user }',
    ],
    [{ messages: [user('a')] }, 'messages[0]: nothing to learn: the assistant says nothing'],
    [{ messages: [user('a'), assistant(' ')] }, 'messages[1]: the assistant says nothing'],
    [{ messages: [user(''), assistant('b')] }, 'messages[0]: the user says nothing'],
    [
      { messages: [user('a'), { content: 'b' }] },
      'messages[1]: nothing says who speaks: role, from, speaker, author, sender',
    ],
    [{ messages: [user('a'), 3] }, 'messages[1]: expected a map with a role and a content'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'x' }] }, assistant('b')] },
      'messages[0].content[0]: "image_url" cannot be trained on, only text',
    ],
    [
      { messages: [user('a'), assistant('b', { thinking: ['x'] })] },
      'messages[1].thinking: a list where a text is expected',
    ],
    [
      { messages: [user('a'), assistant('<think>x b')] },
      'messages[1]: the reasoning is opened with <think> and never closed',
    ],
    [
      { messages: [user('a'), assistant('', { tool_calls: [{ function: { arguments: '{}' } }] })] },
      'messages[1].tool_calls: the call names no function',
    ],
    [
      { messages: [user('a'), assistant('', { tool_calls: [{ name: 'f', arguments: '{x}' }] })] },
      'messages[1].tool_calls: arguments are no JSON object: {x}',
    ],
    [
      { messages: [user('a'), { role: 'tool', content: 'x' }, assistant('b')] },
      'messages[1]: a tool answers, but no call stands before it',
    ],
    [
      { messages: [user('a'), { role: 'tool', tool_call_id: 'z', content: 'x' }, assistant('b')] },
      'messages[1]: answers the call "z", which no message before it makes',
    ],
    [
      { messages: [user('a'), assistant('b'), { role: 'system', content: 's' }, assistant('c')] },
      'messages[2]: a system message can only stand at the beginning',
    ],
    [{ messages: [user('a'), assistant('b', { weight: 'x' })] }, 'messages[1].weight: expected true, false, 0 or 1'],
    [
      { messages: [user('a'), assistant('b', { channel: 'public' })] },
      'messages[1].channel: expected one of analysis, commentary, final',
    ],
    [
      { messages: [user('a'), assistant('b\uD800')] },
      'messages[1].content: holds half a surrogate pair, which is not Unicode text',
    ],
    [
      {
        conversations: [
          { from: 'human', value: 'a' },
          { from: 'function_call', value: 'f(x)' },
        ],
      },
      'conversations[1]: is no JSON: f(x)',
    ],
    [{ messages: PAIR, tools: 'f(x)' }, 'tools: is no JSON list of functions'],
    [
      { title: 'x', body: 'y' },
      'no conversation: neither a list of messages nor columns such as instruction and response; there are title, body',
    ],
    [{ text: 'plain' }, 'text: is no text that a chat template has rendered', { shape: 'text' }],
    [
      { text: '<|start|>developer<|message|># Tools\n\nnamespace functions {}<|end|><|start|>user<|message|>a<|end|>' },
      'text: functions that are rendered as TypeScript cannot be read back',
    ],
    [{ instruction: 'a', response: 'b' }, 'messages: there is no list of messages', { shape: 'messages' }],
    [{ instruction: 'a', response: '' }, 'response: the assistant says nothing'],
  ])('%j: %s', async (fields, reason, given) => expect(await why(fields, given)).toBe(reason));
});

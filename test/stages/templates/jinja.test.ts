/** Jinja templates: which characters the assistant wrote, and which tokens hold them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import chat from '../../../stages/templates/chat.ts';
import type { Message } from '../../../stages/templates/conversation.ts';
import type { ChatOptions } from '../../../stages/templates/options.ts';
import { type Chat, loadChat, type Sample } from '../../../stages/templates/render.ts';
import { chatOptions } from '../../rig/chat.ts';
import { row, runStage } from '../../rig/stage.ts';
import { modelFolder, tokenizerJson } from '../../rig/tokenizer.ts';

const specials = ['<s>', '</s>', '<|im_start|>', '<|im_end|>', '<|return|>', '<|end|>'];
const words = ['assistant\n', '😀', ' the', ' xy', '中文', '<think>'];
const files = {
  'tokenizer.json': tokenizerJson({ specials, words }),
  'tokenizer_config.json': { bos_token: '<s>', eos_token: { content: '</s>' } },
  'generation_config.json': { eos_token_id: [7] },
};
const { folder } = modelFolder(files);
const load = (template: string, options: Partial<ChatOptions> = {}) =>
  loadChat({ folder, template, options: { ...options, format: 'jinja' } });
const said = (format: Chat, { ids, trained }: Sample) =>
  Promise.all(trained.map(([a, b]) => format.decode(ids.slice(a, b))));

/** Templates after the shape of published families, written for these tests; their line breaks are layout only. */
const layout = (template: string) => template.replace(/\n */g, '');
const turnsInTags = layout(`{% for m in messages %}
  {{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
  {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`);
const trimmedInBrackets = layout(`{{ bos_token }}{% for m in messages %}
  {% if m.role == 'assistant' %}{{ ' ' + m.content | trim + ' ' + eos_token }}
  {% else %}{{ '[INST] ' + m.content | trim + ' [/INST]' }}{% endif %}{% endfor %}`);
const lastThinks = layout(`{% for m in messages %}
  {% if m.role == 'assistant' %}{{ '<|im_start|>assistant\\n' }}
  {% if loop.last and m.thinking %}{{ '<think>' + m.thinking + '</think>' }}{% endif %}
  {{ m.content }}{{ '<|return|>' if loop.last else '<|end|>' }}
  {% else %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endif %}
  {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`);
const headings =
  layout(`{% for m in messages %}{{ ('Q: ' if m.role == 'user' else 'A: ') + m.content + '\\n' }}{% endfor %}
  {% if add_generation_prompt %}{{ 'A: ' }}{% endif %}`);
/** Here line breaks count: the ones behind a block go, as the template language has it. */
const marked = `{% for m in messages %}
{{ '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' %}
  {% generation %}
{{ m.content + '<|im_end|>' }}
  {%- endgeneration %}
{% else %}
{{ m.content + '<|im_end|>' -}}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string, more: Partial<Message> = {}): Message => ({ role: 'assistant', content, ...more });
const two = [user('Hé?'), assistant('Ja 😀.'), user('中文?'), assistant('好。')];

describe('the loss mask of a Jinja template', () => {
  it('is the difference the assistant makes, up to the token that ends the turn', async () => {
    const format = await load(turnsInTags);
    const sample = await format.sample({ messages: two });
    expect(sample.text).toBe(
      '<|im_start|>user\nHé?<|im_end|>\n<|im_start|>assistant\nJa 😀.<|im_end|>\n' +
        '<|im_start|>user\n中文?<|im_end|>\n<|im_start|>assistant\n好。<|im_end|>\n',
    );
    expect(await format.decode(sample.ids)).toBe(sample.text);
    expect(await said(format, sample)).toEqual(['Ja 😀.<|im_end|>', '好。<|im_end|>']);
  });

  it('reaches over white space to the end-of-sequence token', async () => {
    const format = await load(trimmedInBrackets);
    const sample = await format.sample({ messages: [user(' a '), assistant(' b '), user('c'), assistant('d')] });
    expect(sample.text).toBe('<s>[INST] a [/INST] b </s>[INST] c [/INST] d </s>');
    expect(await said(format, sample)).toEqual([' b </s>', ' d </s>']);
  });

  it('is found by content where the template writes the last turn in another way', async () => {
    const format = await load(lastThinks);
    const messages = [user('a'), assistant('b', { thinking: 't' }), user('c'), assistant('d', { thinking: 'u' })];
    const sample = await format.sample({ messages });
    expect(sample.text).not.toContain('<think>t');
    expect(await said(format, sample)).toEqual(['b<|end|>', '<think>u</think>d<|return|>']);
  });

  it('is what {% generation %} marks', async () => {
    const format = await load(marked);
    const sample = await format.sample({ messages: two });
    expect(sample.text).toBe(
      '<|im_start|>user\nHé?<|im_end|><|im_start|>assistant\nJa 😀.<|im_end|>' +
        '<|im_start|>user\n中文?<|im_end|><|im_start|>assistant\n好。<|im_end|>',
    );
    expect(await said(format, sample)).toEqual(['Ja 😀.<|im_end|>', '好。<|im_end|>']);
    const one = await format.sample({ messages: two.with(1, assistant('Ja.', { train: false })) });
    expect(await said(format, one)).toEqual(['好。<|im_end|>']);
  });

  it('leaves out train: false, and with last_only all but the last turn', async () => {
    const format = await load(turnsInTags);
    const messages = two.with(3, assistant('好。', { train: false }));
    expect(await said(format, await format.sample({ messages }))).toEqual(['Ja 😀.<|im_end|>']);
    const last = await load(turnsInTags, { loss: { channels: ['final'], headers: false, last_only: true } });
    expect(await said(last, await last.sample({ messages: two }))).toEqual(['好。<|im_end|>']);
  });

  it('counts a token that straddles its border', async () => {
    const format = await load(headings);
    const sample = await format.sample({ messages: [user('q'), assistant('xy')] });
    expect(sample.text).toBe('Q: q\nA: xy\n');
    expect(await said(format, sample)).toEqual([' xy\n']);
  });

  it('that cannot be told is a reject with advice', async () => {
    const template = `{% for m in messages %}{{ m.role + ': ' + (m.content | upper) + '\\n' }}{% endfor %}{{ messages | length }}`;
    const format = await load(template);
    await expect(format.sample({ messages: two })).rejects.toThrow(/^mask-not-derivable: .*messages\[1\].*generation/);
  });

  it('a template that refuses a conversation is a reject', async () => {
    const format = await load(`{{ raise_exception('roles must alternate') }}`);
    await expect(format.sample({ messages: two })).rejects.toThrow(
      'the chat template refuses it: roles must alternate',
    );
  });

  it('holds just the assistant for any text', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme', minLength: 1 })), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.constantFrom(turnsInTags, marked),
        async (turns, template) => {
          const format = await load(template);
          const messages = turns.flatMap(([q, a]) => [user(q), assistant(a)]);
          const sample = await format.sample({ messages });
          expect(await format.decode(sample.ids)).toBe(sample.text);
          expect(await said(format, sample)).toEqual(turns.map(([, a]) => `${a}<|im_end|>`));
        },
      ),
      { numRuns: 60 },
    ));
});

describe('a Jinja format', () => {
  it('pins the date, tells the reasoning effort, and passes tools on', async () => {
    const template = `{{ strftime_now('%d %b %Y') }} {{ strftime_now('%-d %B, %A') }} {{ reasoning_effort }} {{ tools | length }}`;
    const format = await load(template, { date: '2025-08-05' });
    const prompt = await format.prompt({ messages: two, tools: [{}, {}] }, { reasoning: 'high' });
    expect(prompt.text).toBe('05 Aug 2025 5 August, Tuesday high 2');
  });

  it('strips the characters that it is told to, as Python does, and white space otherwise', async () => {
    const given =
      "{% for m in messages %}{{ m.content.strip('\\n') + '|' + m.content.lstrip('\\n ') + '|' + m.content.rstrip('x') + '|' + m.content.strip() + ';' }}{% endfor %}";
    const format = await load(given);
    const { text } = await format.prompt({ messages: [user('\n a x\n'), user('xx')] });
    expect(text).toBe(' a x|a x\n|\n a x\n|a x;xx|xx||xx;');
  });

  it('puts the instructions into a system message where there is none', async () => {
    const format = await load(turnsInTags, { developer: 'Be brief.' });
    expect((await format.prompt({ messages: two })).text).toMatch(/^<\|im_start\|>system\nBe brief\.<\|im_end\|>/);
    const own = await format.prompt({ messages: [{ role: 'system', content: 'Rhyme.' }, ...two] });
    expect(own.text).toMatch(/^<\|im_start\|>system\nRhyme\.<\|im_end\|>\n<\|im_start\|>user/);
  });

  it('ends at any end-of-sequence id, and reads answers without special tokens', async () => {
    const format = await load(turnsInTags);
    const { ids } = await format.sample({ messages: [user('a'), assistant('b')] });
    const eos = (await load('</s>')).prompt({ messages: two });
    expect(format.stopIds).toEqual([7, (await eos).ids[0]]);
    expect(await format.answer([...ids.slice(-3, -1), format.stopIds[1]!, 98])).toEqual({
      final: 'b',
      analysis: '',
      commentary: '',
      complete: true,
    });
  });

  it("a model's own template is found in either place; a template file needs format jinja", async () => {
    const rows = [row('r', { instruction: 'a', response: 'b' })];
    const text = '<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n';
    for (const own of [
      { 'chat_template.jinja': turnsInTags },
      { 'tokenizer_config.json': { chat_template: turnsInTags } },
      { 'tokenizer_config.json': { chat_template: [{ name: 'default', template: turnsInTags }] } },
    ]) {
      const model = modelFolder({ ...files, ...own });
      const out = await runStage(chat, rows, chatOptions({ format: 'tokenizer' }), { model });
      expect(out.rows[0]!.fields.text).toBe(text);
    }
    const path = join(folder, 'own.jinja');
    writeFileSync(path, turnsInTags);
    const setup = (given: Record<string, unknown>) =>
      chat.setup!({
        options: chatOptions({ ...given, template: 'own.jinja' }),
        files: { template: [{ name: 'own.jinja', path, digest: '', size: 1 }] },
        inputs: { model: modelFolder(files) },
      });
    await expect(setup({ format: 'jinja' })).resolves.toBeDefined();
    await expect(setup({})).rejects.toMatchObject({ reason: 'template-unused' });
  });
});

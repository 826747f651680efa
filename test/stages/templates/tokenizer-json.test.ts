/** tokenizer.json, however it is written: the same tokenizer, without what was saved in it unasked. */
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../stages/templates/tokenizer.ts';
import { tokenizerJson } from '../../../stages/templates/tokenizer-json.ts';
import { tokenizerJson as made, modelFolder } from '../../rig/tokenizer.ts';

const json = made({ words: [' the', 'ing'] });
const { model, ...head } = json;
const { added_tokens, ...others } = head;
const dropping = { ...model, dropout: 0.9 };
const ways = {
  'as the library writes it': JSON.stringify(json),
  indented: JSON.stringify(json, null, 2),
  'with the model first': JSON.stringify({ model, ...head }),
  'with the model before others': JSON.stringify({ added_tokens, model, ...others }),
  'with dropout': JSON.stringify({ ...head, model: dropping }),
  'with truncation': JSON.stringify({
    ...json,
    truncation: { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 },
  }),
};

describe('tokenizer.json', () => {
  it.each(Object.entries(ways))('%s', async (_, text) => {
    const { added } = tokenizerJson(text);
    expect(added).toEqual(json.added_tokens);
    const tokenizer = loadTokenizer(modelFolder({ 'tokenizer.json': text }).folder);
    const plain = loadTokenizer(modelFolder({ 'tokenizer.json': json }).folder);
    const texts = ['the thing is <|end|>ing', 'über 中文'];
    expect(await tokenizer.plain(texts)).toEqual(await plain.plain(texts));
    expect(await tokenizer.whole('a<|end|>b')).toEqual(await plain.whole('a<|end|>b'));
  });

  it('text without special tokens is decoded alike with one core and with both', async () => {
    const { folder } = modelFolder({ 'tokenizer.json': json });
    const one = loadTokenizer(folder);
    const [ids] = await one.plain(['the thing 中']);
    const end = one.special('<|end|>')!;
    const all = [end, ...ids!, end, end, ...ids!];
    const before = [await one.decode(all), await one.decode(all, true)];
    await one.whole('x');
    expect([await one.decode(all), await one.decode(all, true)]).toEqual(before);
    expect(before).toEqual(['<|end|>the thing 中<|end|><|end|>the thing 中', 'the thing 中the thing 中']);
  });

  it('that is no JSON is refused', () => {
    expect(() => tokenizerJson('{"added_tokens": [')).toThrow(/^the model's tokenizer\.json is not JSON: /);
  });
});

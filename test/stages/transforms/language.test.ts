import { describe, expect, test } from 'vitest';
import { detector } from '../../../stages/transforms/language/detect.ts';
import language, { type Options } from '../../../stages/transforms/language.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/language', given);
const detect = await detector(options());

/** Sentences of tutorials such as people fine-tune on, and of everyday. */
const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  en: [
    'The model answers straight away, without any reasoning.',
    'Open the file and read its first line.',
    'You should see a list of files in your working folder.',
    'A generator is a function that returns an iterator.',
    'What is the difference between a list and a tuple?',
  ],
  es: [
    'El modelo responde sin ningún razonamiento previo.',
    'En este tutorial aprenderás a ajustar el modelo con tus propios datos.',
    'Abra el archivo y lea la primera línea.',
    'La tasa de aprendizaje predeterminada es un buen punto de partida.',
    '¿Cuál es la diferencia entre una lista y una tupla?',
  ],
  pt: [
    'O modelo responde sem nenhum raciocínio prévio.',
    'Neste guia, você aprenderá a ajustar o modelo com seus próprios dados.',
    'Abra o arquivo e leia a primeira linha.',
    'A taxa de aprendizado padrão é um bom ponto de partida.',
    'Qual é a diferença entre uma lista e uma tupla?',
  ],
  fr: [
    'Le modèle répond sans aucun raisonnement préalable.',
    'Très bien, commençons par résoudre l’équation.',
    'Quelle est la différence entre une liste et un tuple ?',
  ],
  de: [
    'Das Modell antwortet ohne vorherige Überlegung.',
    'Öffnen Sie die Datei und lesen Sie die erste Zeile.',
    'Was ist der Unterschied zwischen einer Liste und einem Tupel?',
  ],
  it: ['Il modello risponde senza alcun ragionamento.', 'Qual è la differenza tra una lista e una tupla?'],
  zh: [
    '在这篇指南中,你将学习如何微调模型。',
    '使用 FastLanguageModel.from_pretrained 加载 GPT-OSS 模型',
    '模型直接回答问题',
  ],
  ja: ['モデルは推論せずに答えます。', '学習率は重要なパラメータです。'],
  ko: ['모델은 추론 없이 대답합니다.'],
  ru: ['Модель отвечает без всяких рассуждений.'],
  uk: ['Модель відповідає без жодних міркувань.'],
  ar: ['النموذج يجيب دون أي تفكير مسبق.'],
  hi: ['मॉडल बिना सोचे उत्तर देता है।'],
  vi: ['Mô hình trả lời mà không cần suy luận.'],
  tr: ['Model herhangi bir akıl yürütme olmadan cevap verir.'],
  pl: ['Model odpowiada bez żadnego rozumowania.'],
  el: ['Το μοντέλο απαντά χωρίς συλλογισμό.'],
  th: ['แบบจำลองตอบโดยไม่ต้องให้เหตุผล'],
};

describe.each(Object.entries(SENTENCES))('%s', (code, sentences) => {
  test.each(sentences)('%s', sentence => expect(detect(sentence)).toBe(code));
});

test('what is too short, or no language, is und', () => {
  for (const text of ['', 'GPU', '12345 67890 - 3.14', '模型', 'https://example.org/a/very/long/address/indeed'])
    expect(detect(text), text).toBe('und');
});

test('the fewest letters can be set', async () => {
  const short = await detector({ min: 6 });
  expect(short('模型')).toBe('zh');
  expect((await detector({ min: 100 }))(SENTENCES.en![0]!)).toBe('und');
});

test('only the languages that there can be are given', async () => {
  const few = await detector({ min: 5, only: ['es', 'pt'] });
  expect(few('Requisitos de hardware')).toMatch(/^(es|pt)$/);
  expect(few(SENTENCES.zh![0]!)).toBe('und');
});

test('a long text takes no longer than a page, and its middle and end count', () => {
  const page = `${SENTENCES.en!.join(' ')} `;
  const begun = performance.now();
  expect(detect(page.repeat(20_000))).toBe('en');
  expect(performance.now() - begun).toBeLessThan(200);
  expect(detect(`${'x1 '.repeat(2000)}${`${SENTENCES.de!.join(' ')} `.repeat(40)}${'y2 '.repeat(2000)}`)).toBe('de');
});

test('the language stands in a field of its own; of messages all texts at the path count', async () => {
  const messages = [
    { role: 'user', content: 'Solve it.' },
    { role: 'assistant', thinking: 'Très bien, commençons par le début.', content: 'The result is four.' },
  ];
  const run = (given: object, fields = { messages }) => runStage(language, [row('a', fields)], options(given));
  expect((await run({ field: 'messages.thinking', as: 'reasoning' })).rows).toEqual([
    row('a', { messages, reasoning: 'fr' }),
  ]);
  expect((await run({})).rejects).toMatchObject([{ reason: 'field "text": there is no text' }]);
});

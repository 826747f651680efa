import { describe, expect, test } from 'vitest';
import { metricsLines, ruleParts } from '../../src/views/metrics-text.ts';

test('numbers stand on a line, histograms as bars, lists of like things as tables', () => {
  const metrics = {
    duplicates: 3,
    fields: {
      text: {
        characters: {
          histogram: [
            { from: 0, to: 0, rows: 1 },
            { from: 1, to: 1, rows: 0 },
            { from: 2, to: 3, rows: 2000 },
          ],
          max: 3,
          mean: 2.998,
          median: 3,
          min: 0,
          p95: 3,
        },
        languages: { en: 1990, und: 11 },
        rows: 2001,
      },
    },
    rows: 2001,
    rules: [
      { rule: 'a is there', seen: 2001, broken: 0, result: 'passed' },
      { rule: 'b', seen: 0, broken: 0, result: 'unseen', why: 'no row' },
    ],
  };
  expect(metricsLines(metrics)).toEqual([
    'rows 2,001  duplicates 3',
    'fields',
    '  text',
    '    rows 2,001',
    '    characters',
    '      min 0  median 3  mean 2.998  p95 3  max 3',
    '          0      1  █',
    '          1      0',
    `        2-3  2,000  ${'█'.repeat(40)}`,
    '    languages',
    '      en 1,990  und 11',
    'rules',
    '  rule        result  seen   broken  why',
    '  a is there  passed  2,001  0',
    '  b           unseen  0      0       no row',
  ]);
});

test('a text that would steer a terminal is shown', () => {
  expect(metricsLines({ 'a\u001b[2J': 'b\u0007', list: ['x\u001b'] }).join('\n')).not.toMatch(/[\u0007\u001b]/);
});

describe('rules of a check', () => {
  test('each says how many rows it saw, and what came of it', () => {
    const rules = [
      { rule: 'a is there', seen: 1200, broken: 12, result: 'passed' },
      { rule: 'b is unique', seen: 1, broken: 0, result: 'warned' },
      { rule: 'c', seen: 0, broken: 0, result: 'unseen' },
      { rule: 'd is in es', seen: 5, broken: 4, share: 0.2, result: 'passed' },
    ];
    expect(ruleParts({ rows: 1200, result: 'warned', rules })).toEqual([
      'a is there: 1,200 rows, 12 break it',
      'b is unique: 1 row (warned)',
      'c: 0 rows (says nothing)',
      'd is in es: 5 rows, 20 % keep it',
    ]);
  });

  test('other metrics are none', () => {
    expect(ruleParts({ loss: 2 })).toBeNull();
    expect(ruleParts({ result: 'x', rules: 'none' })).toBeNull();
  });
});

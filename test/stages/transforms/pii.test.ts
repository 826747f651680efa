import { describe, expect, test } from 'vitest';
import type { Fields } from '../../../stages/contract.ts';
import { finder, KINDS } from '../../../stages/transforms/pii/find.ts';
import pii, { type Options } from '../../../stages/transforms/pii.ts';
import { row, runStage } from '../../rig/stage.ts';
import { optionsOf } from '../options.ts';

const options = (given: object = {}) => optionsOf<Options>('transforms/pii', given);
const run = (fields: Fields, given: object = {}, id = 'a') => runStage(pii, [row(id, fields)], options(given));
const text = async (t: string, given: object = {}, id = 'a') =>
  (await run({ text: t }, given, id)).rows[0]!.fields.text as string;

const find = finder(KINDS, {});
const found = (t: string) => find(t).map(f => `${f.kind} ${t.slice(f.start, f.end)}`);

describe('what is found', () => {
  test.each([
    ['Write to Jane.Doe+news@mail.example.co.uk, please.', 'email Jane.Doe+news@mail.example.co.uk'],
    ['(josé@correo.es)', 'email josé@correo.es'],
    ['Call +49 30 901820 now', 'phone +49 30 901820'],
    ['or (415) 555-2671.', 'phone (415) 555-2671'],
    ['415-555-2671', 'phone 415-555-2671'],
    ['Tel.: 030 / 1234567', 'phone 030 / 1234567'],
    ['01 23 45 67 89', 'phone 01 23 45 67 89'],
    ['手机：13812345678', 'phone 13812345678'],
    ['电话 010-62345678', 'phone 010-62345678'],
    ['meu celular é (11) 91234-5678', 'phone (11) 91234-5678'],
    ['teléfono 612 345 678', 'phone 612 345 678'],
    ['from 203.0.114.7 today', 'ip 203.0.114.7'],
    ['2a00:1450:4001:81b::200e', 'ip 2a00:1450:4001:81b::200e'],
    ['4111 1111 1111 1111', 'card 4111 1111 1111 1111'],
    ['378282246310005', 'card 378282246310005'],
    ['IBAN DE89 3704 0044 0532 0130 00 BANK', 'iban DE89 3704 0044 0532 0130 00'],
    ['GB82WEST12345698765432', 'iban GB82WEST12345698765432'],
    ['export OPENAI_API_KEY=sk-proj-aB3dE5fG7hI9jK1lM2nO4p', 'key sk-proj-aB3dE5fG7hI9jK1lM2nO4p'],
    ['ghp_16C7e42F292c6912E7710c838347Ae178B4a', 'key ghp_16C7e42F292c6912E7710c838347Ae178B4a'],
    ['login(token="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")', 'key 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'],
    ['AKIAJ5GFKXW7HNBZQ2LA', 'key AKIAJ5GFKXW7HNBZQ2LA'],
    ['postgres://bob:s3cr3t!x@db.internal/x', 'key s3cr3t!x'],
    ['"Api-Key": "f81d4fae7dec11d0a76500a0c91e6bf6"', 'key f81d4fae7dec11d0a76500a0c91e6bf6'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7xyz\n-----END RSA PRIVATE KEY-----',
      'key -----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7xyz\n-----END RSA PRIVATE KEY-----',
    ],
  ])('%s', (t, expected) => expect(found(t)).toEqual([expected]));
});

describe('what is not', () => {
  test.each([
    ['versions', 'Python 3.11.2, v10.20.30.40, release 120.4.5.6, torch==2.8.0, 1.2.3.4'],
    ['dates and times', '2023-01-15 10:20:30, 01.02.2023 12:30, 2024/11/21, 1990 - 2020'],
    ['timestamps and ids', '1700000000000 ms, id 12345678901, 0x1234567890abcdef'],
    ['addresses of nobody', '127.0.0.1 192.168.1.1 10.0.0.8 192.0.2.1 ::1 fe80::1 2001:db8::1'],
    ['hardware addresses', '00:1A:2B:3C:4D:5E, GPU 0000:01:00.0'],
    ['code', '@property\ndef f(a): std::vector<int> x = a::b; self.token = tok.convert_ids(1234567890)'],
    ['a clone', 'git clone git@github.com:user/repo.git'],
    ['a file', 'logo@2x.png'],
    ['a wrong check digit', '4111 1111 1111 1112, DE89 3704 0044 0532 0130 01, 1234 5678 9012 3456'],
    ['an ISBN', 'ISBN 978-3-16-148410-0'],
    ['numbers', '1,234,567.89, 12 345 678, 1.000.000,00, 3.14159265358979, 2147483647'],
    ['lists of numbers', '[1, 2, 3, 4, 5, 6, 7, 8] and 10-20-30-40-50-60'],
    ['hashes', '05b2c186c1b6c9a08375389d5efe9cb4c401c075 123e4567-e89b-12d3-a456-426614174000'],
    ['stand-ins for keys', 'api_key = "YOUR_API_KEY_GOES_HERE_123", token: "your_brightdata_api_token_here", hf_...'],
    ['the documentation of a password', 'password: string, at least 12 characters; AKIAIOSFODNN7EXAMPLE'],
  ])('%s', (_, t) => expect(found(t)).toEqual([]));
});

test('a placeholder is the same for the same value in a row, and another in another row', async () => {
  const t = 'Ann@x.org wrote to bob@x.org; ann@x.org to +49 30 901820 and +49 (30) 901820.';
  const out = await text(t);
  const [a, b, c, d, e] = out.match(/<[A-Z]+_[0-9a-f]{4}>/g)!;
  expect(out).toBe(`${a} wrote to ${b}; ${c} to ${d} and ${e}.`);
  expect(a).toBe(c);
  expect(a).not.toBe(b);
  expect(d).toBe(e);
  expect(await text(t)).toBe(out);
  expect(await text(t, {}, 'b')).not.toContain(a);
  expect(await text(t, { seed: 1 })).not.toContain(a);
});

test('different values of one row never share a placeholder', async () => {
  const many = Array.from({ length: 3000 }, (_, i) => `user${i}@x.org`).join(' ');
  expect(new Set((await text(many)).split(' ')).size).toBe(3000);
});

test('values are removed, or their rows dropped with what they hold', async () => {
  expect(await text('Mail a@x.org now', { action: 'remove' })).toBe('Mail  now');
  const { dropped } = await run({ text: 'a@x.org, b@x.org, +49 30 901820' }, { action: 'drop' });
  expect(dropped).toMatchObject([{ reason: 'holds 2 x email, phone' }]);
  expect((await run({ text: 'nothing' }, { action: 'drop' })).rows).toHaveLength(1);
});

test('only the kinds that are asked for are looked for, and patterns of the user’s own first', async () => {
  expect(await text('a@x.org 203.0.114.7', { kinds: ['ip'], action: 'remove' })).toBe('a@x.org ');
  const own = await text('Customer C-123456, a@x.org', { patterns: { CUSTOMER: 'C-\\d{6}' } });
  expect(own).toMatch(/^Customer <CUSTOMER_[0-9a-f]{4}>, <EMAIL_[0-9a-f]{4}>$/);
  await expect(async () => run({ text: '' }, { patterns: { X: '(' } })).rejects.toMatchObject({
    reason: 'invalid-pattern',
    message: expect.stringContaining('patterns.X: "(" is no regular expression'),
  });
});

test('every text of a row is looked at, and the counts stand beside it', async () => {
  const messages = [
    { role: 'user', content: 'I am a@x.org' },
    { role: 'assistant', content: 'Hello a@x.org' },
  ];
  const { rows } = await run({ messages, n: 1 }, { as: 'pii' });
  const [first, second] = rows[0]!.fields.messages as { content: string }[];
  expect(first!.content).toMatch(/^I am <EMAIL_/);
  expect(second!.content.slice(6)).toBe(first!.content.slice(5));
  expect(rows[0]!.fields.pii).toEqual({ email: 2 });
  const only = await run({ text: 'a@x.org', note: 'b@x.org' }, { field: 'note', action: 'remove' });
  expect(only.rows[0]!.fields).toEqual({ text: 'a@x.org', note: '' });
  expect((await run({ text: 'x' }, { field: 'note' })).rejects).toMatchObject([
    { reason: 'field "note": there is no text' },
  ]);
});

test('no text takes longer than its length', () => {
  const begun = performance.now();
  for (const unit of [
    'a',
    '1',
    '1 ',
    'a@',
    'A1',
    '1.',
    'a:',
    'sk-',
    '(0',
    '+1-',
    'DE89 3704 ',
    '-----BEGIN PRIVATE KEY-----\n',
    '://a:',
  ])
    find(unit.repeat(100_000 / unit.length));
  expect(performance.now() - begun).toBeLessThan(5000);
});

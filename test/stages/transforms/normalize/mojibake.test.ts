import { expect, test } from 'vitest';
import { repairMojibake } from '../../../../stages/transforms/normalize/mojibake.ts';

const WINDOWS = [...'€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ'];
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');
const windows = (text: string): string => latin1(text).replace(/[\x80-\x9F]/g, c => WINDOWS[c.charCodeAt(0) - 0x80]!);

/** Names of languages and countries in as many languages: short texts, in which there is little to go by. */
const names = (): string[] => {
  const codes = [
    'en',
    'fr',
    'de',
    'pt-BR',
    'ru',
    'el',
    'zh',
    'ja',
    'ar',
    'hi',
    'is',
    'vi',
    'cs',
    'uk',
    'ko',
    'tr',
    'hu',
  ];
  const locales = `af am ar az be bg bn bs ca cs cy da de el es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km kn
    ko ky lo lt lv mk ml mn mr ms my nb ne nl pa pl ps pt ro ru si sk sl sq sr sv sw ta te th tr uk ur uz vi zh`;
  return locales.split(/\s+/).flatMap(locale => {
    const of = new Intl.DisplayNames(locale, { type: 'language' });
    const regions = new Intl.DisplayNames(locale, { type: 'region' });
    return [...codes.map(code => of.of(code)!), ...['AX', 'CI', 'ST', 'CW', 'TR', 'ES', 'AT'].map(r => regions.of(r)!)];
  });
};

const SENTENCES = [
  'Le « café » à l’école coûte 5 €… déjà ! Où est-il ?',
  'O «MAÇÃ» está à venda; NÃO É VOCÊ… AMANHÃ”, disse ele.',
  '¿Dónde está el niño? ¡Aquí! «Sí», dijo. ESPAÑA™ y CAFÉ®.',
  'Spaß“, sagte er – „Größe“ ist 10×½ groß… ÖSTERREICH—ÜBER.',
  'Úžasný den! Óž; Ôžmé; Žluťoučký kůň úpěl ďábelské ódy.',
  'MAĆ × 1024 oraz 3×² i MÄÄRÄ × 7',
  'Ångström å være på Ærø; «Å» er en bokstav.',
  'Í dag er góður dagur með ð…» og “þú”.',
  '3° à 25°C, ß², Â, “Â” et «Ã» sont des lettres.',
  'Съешь ещё этих мягких французских булок.',
  '中文文本，没有问题。日本語の文もある。한국어 문장.',
  'Tiếng Việt có nhiều dấu: lỗi hệ thống chung.',
  'Karmaşık “Klasör Aç”ı seçtiği; “KLASÖR AÇ”A ayarlı.',
];

test.each(SENTENCES)('clean text stays: %s', text => {
  for (const t of [text, text.toUpperCase(), text.replaceAll(' ', '\u00A0')]) expect(repairMojibake(t)).toBe(t);
});

test('clean names stay, in capitals, between quotation marks and before no-break spaces, too', () => {
  const all = names();
  expect(all.length).toBeGreaterThan(1500);
  for (const name of all)
    for (const t of [
      name,
      name.toUpperCase(),
      `«\u00A0${name}\u00A0»`,
      `“${name.toUpperCase()}”…`,
      `${name}—„${name}“`,
    ])
      expect(repairMojibake(t)).toBe(t);
});

test.each([
  ['cafÃ©', 'café'],
  ['donâ€™t', 'don’t'],
  ['â€œquotedâ€\u009D', '“quoted”'],
  ['â€œquotedâ€.', '“quoted”.'],
  ['ä¸\u00ADæ–‡', '中文'],
  ['ÐŸÑ€Ð¸Ð²ÐµÑ‚', 'Привет'],
  ['5 â‚¬ â€“ 10 Â£, 20Â°C', '5 € – 10 £, 20°C'],
  ['ðŸ˜€ ok', '😀 ok'],
  ['voilÃ\u00A0 tout', 'voilà tout'],
  ['voilÃ  tout', 'voilà tout'],
  ['OPCIÃ“N', 'OPCIÓN'],
  ['Ã–ffnen', 'Öffnen'],
  ['Ãºltimo TÃ\u00ADtulo', 'último Título'],
  ['Ã©tÃ© Ã  la mer', 'été à la mer'],
  ['ï»¿text', '\uFEFFtext'],
  ['ÃƒÂ©tÃƒÂ©', 'été'],
  ['doesnÃ¢â‚¬â„¢t', 'doesn’t'],
  ['the rÃ©sumÃ© of Zoë', 'the résumé of Zoë'],
])('%s is %s', (garbled, clean) => expect(repairMojibake(garbled)).toBe(clean));

test.each([
  ['Windows-1252', windows],
  ['Latin-1', latin1],
  ['Windows-1252 twice', (t: string) => windows(windows(t))],
  ['Latin-1, then Windows-1252', (t: string) => windows(latin1(t))],
])('sentences and nearly all names come back from %s', (_, garble) => {
  for (const text of SENTENCES.slice(9)) expect(repairMojibake(garble(text))).toBe(text);
  const all = names().filter(name => /[^ -~]/.test(name));
  const back = all.filter(name => repairMojibake(garble(name)) === name);
  expect(back.length / all.length).toBeGreaterThan(0.98);
});

test('a long text takes time in proportion to its length', () => {
  const text = 'É” Ã© ä¸\u00ADæ–‡ É… '.repeat(20_000);
  const begun = performance.now();
  repairMojibake(text);
  expect(performance.now() - begun).toBeLessThan(3000);
});

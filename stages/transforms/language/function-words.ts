/**
 * The commonest small words of languages that share an alphabet, and letters that one of them alone has. A classifier of letter groups knows too little of a
 * sentence of ten words; two or three articles and prepositions in it say more.
 */

const LISTS: Readonly<Record<string, string>> = {
  en: `the of and to in is that it for was on are as with be by this have not or from at which you your can will has but an if
    all we they there their been its would when no more do may should use using used into than also only other such each
    these those then how what who any does did`,
  es: `de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin sobre este ya
    entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque qué sólo solo han yo hay vez
    puede todos así nos ni parte tiene uno donde bien esto estos estas puedes cada usar usted`,
  pt: `de a o que e é do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua ou quando muito nos
    já eu também só pelo pela até isso ela entre depois sem mesmo aos seus quem nas me esse eles você essa num nem suas meu às
    minha têm numa pelos elas qual nós lhe este dele são está ser pode tem foi você isto cada usar sobre seja vamos agora fazer vai vez`,
  fr: `de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se le ce il sont la avec son aux d l s ou
    cette ont ses mais comme on tout nous sa fait été aussi leur bien peut ces y deux même vous être si elle sans entre n qu c
    votre cet leurs où chaque doit`,
  de: `der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie
    nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein
    wurde kann wenn ich wir ihr diese dieser dieses können keine unter`,
  it: `di e il la che in a per un è del non una sono i le da con si della al dei come nel alla più gli anche lo ha dal delle ma
    se questo questa o nella su era dalla degli tra stato suo sua essere ci cui hanno viene può dopo ogni quando perché solo
    così questi quello`,
  nl: `de van het een en in is dat op te zijn met voor niet aan er die als door ook om bij maar naar uit dan of wordt worden kan
    heeft nog deze dit over tot hij ze wij je u meer was zo geen wel werd hebben al moet hun alle tegen onder`,
  sv: `och att det i en som på är av för med den till inte om ett han de var har jag från vi så men kan hade sig eller ska vid
    när du också efter denna detta måste utan finns alla`,
  da: `og i at det er en til af på den som for med de ikke har et der om fra kan var men så jeg vi eller han skal ved når hvis
    også efter denne dette blev uden alle kunne`,
  no: `og i det er en til av på som for med den de ikke har et om fra kan var men så jeg vi eller han skal ved når hvis også
    etter denne dette ble uten alle kunne hva noe`,
  fi: `ja on ei se että oli joka mutta ovat kuin myös niin hän sen tai jos kun voi ole vain tämä tämän mitä sekä olla`,
  pl: `w i na z się do nie że jest o to jak po a dla przez od za są ale jego oraz który która może tylko przy tym być które czy
    lub tego jeśli już`,
  cs: `a v se na je že s z do o i to k ve pro za by ale si po jako jsou nebo při která který jeho již být byl od které není tak
    může pokud`,
  sk: `a v sa na je že s z do o aj to k vo pre za by ale si po ako sú alebo pri ktorá ktorý jeho už byť bol od ktoré nie tak
    môže ak`,
  hu: `a az és hogy nem is egy ez de van meg csak volt mint már ha el kell vagy még le be ki azt fel lehet ezt minden mert után`,
  ro: `de și în a la cu pe nu o un din că se care este mai pentru sau ca al sunt prin ce au fi fost dar după lui ale cel acest
    această poate dacă între`,
  tr: `ve bir bu için ile de da olarak çok daha gibi olan en ne kadar sonra var ya her o ki değil ama veya olduğu göre ise
    tarafından`,
  id: `yang dan di untuk dengan dari ini itu pada dalam tidak adalah akan ke oleh sebagai juga atau dapat bisa telah ada karena
    anda kita saya mereka tersebut jika`,
  ru: `и в не на что с по как это он к из у за от для а то все его но или так же бы если при можно только`,
  uk: `і в не на що з по як це він до із у за від для а то все його але або так же би якщо при можна та є`,
  bg: `и в не на че с по как това той към от за а то всички му но или така да се е са ще със при`,
};

/** By word the languages that it is one of the commonest in. */
const LANGUAGES = new Map<string, string[]>();
for (const [language, list] of Object.entries(LISTS)) {
  for (const word of new Set(list.split(/\s+/))) {
    const known = LANGUAGES.get(word);
    if (known) known.push(language);
    else LANGUAGES.set(word, [language]);
  }
}

/** Letters that no other language of the list has, or hardly any. */
const LETTERS: Readonly<Record<string, string>> = {
  es: 'ñ',
  pt: 'ãõ',
  fr: 'œ',
  de: 'ß',
  da: 'øæ',
  no: 'øæ',
  pl: 'łęąśżźń',
  cs: 'ěřů',
  sk: 'ľĺŕ',
  hu: 'őű',
  ro: 'țșţă',
  tr: 'ğı',
  is: 'ðþ',
  lv: 'ģķļņ',
  lt: 'ėųį',
  vi: 'ơưđạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ',
  ru: 'ыэё',
  uk: 'їєґі',
  be: 'ў',
};

const BY_LETTER = new Map<string, string[]>();
for (const [language, letters] of Object.entries(LETTERS))
  for (const letter of letters) BY_LETTER.set(letter, [...(BY_LETTER.get(letter) ?? []), language]);
const TELLING = new RegExp(`[${[...BY_LETTER.keys()].join('')}]`, 'g');
/** A name may have one of another language; many of them say no more than a few. */
const MOST_LETTERS = 5;

const WORD = /[\p{L}\p{M}]+/gu;

/** By language how many of the words and telling letters of a text (in small letters) are its; what few languages share counts more. */
export const functionWords = (text: string): Map<string, number> => {
  const votes = new Map<string, number>();
  for (const [word] of text.matchAll(WORD)) {
    const languages = LANGUAGES.get(word);
    if (!languages) continue;
    const weight = 1 + 1 / languages.length;
    for (const language of languages) votes.set(language, (votes.get(language) ?? 0) + weight);
  }
  const letters = new Map<string, number>();
  for (const [letter] of text.matchAll(TELLING))
    for (const language of BY_LETTER.get(letter)!)
      letters.set(language, Math.min(MOST_LETTERS, (letters.get(language) ?? 0) + 1));
  for (const [language, n] of letters) votes.set(language, (votes.get(language) ?? 0) + n * 1.5);
  return votes;
};

/** How many different small words of one language a text (in small letters) has, of the language that it has most of. */
export const commonWords = (text: string): number => {
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  let most = 0;
  for (const [word] of text.matchAll(WORD)) {
    const languages = LANGUAGES.get(word);
    if (!languages || seen.has(word)) continue;
    seen.add(word);
    for (const language of languages) {
      const count = (counts.get(language) ?? 0) + 1;
      counts.set(language, count);
      most = Math.max(most, count);
    }
  }
  return most;
};

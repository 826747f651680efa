/** Conversations of the shape of HuggingFaceH4/Multilingual-Thinking: reasoning in five languages, as Parquet. */
import { MESSAGES, parquetOf, TEXT } from './parquet.ts';
import { random } from './random.ts';

const THINGS = ['file', 'folder', 'page', 'program', 'window', 'network', 'printer', 'package', 'server', 'document'];
const DEEDS = ['open', 'save', 'find', 'remove', 'share', 'rename', 'start', 'close', 'copy', 'protect'];

/** `%t` is the thing, `%d` the deed. */
const REASONING: Readonly<Record<string, readonly string[]>> = {
  English: [
    'The user asks how to %d a %t, so I should explain the steps one after the other.',
    'First it must be clear where the %t is, and whether the user has the right to change it.',
    'I will answer in a few short sentences and name the command that is needed.',
  ],
  French: [
    "L'utilisateur demande comment faire (%d) avec un objet (%t), je dois donc expliquer les étapes une par une.",
    "Il faut d'abord savoir où se trouve cet objet et si l'utilisateur a le droit de le modifier.",
    'Je vais répondre en quelques phrases courtes et nommer la commande qui est nécessaire.',
  ],
  German: [
    'Der Benutzer fragt, wie man das macht (%d, %t), also sollte ich die Schritte der Reihe nach erklären.',
    'Zuerst muss klar sein, wo sich die Sache befindet und ob der Benutzer sie überhaupt ändern darf.',
    'Ich werde in wenigen kurzen Sätzen antworten und den Befehl nennen, der dafür nötig ist.',
  ],
  Italian: [
    "L'utente chiede come si fa questa cosa (%d, %t), quindi devo spiegare i passaggi uno dopo l'altro.",
    "Prima di tutto bisogna sapere dove si trova l'oggetto e se l'utente ha il permesso di modificarlo.",
    'Risponderò con poche frasi brevi e indicherò il comando che serve per farlo.',
  ],
  Spanish: [
    'El usuario pregunta cómo se hace esto (%d, %t), así que debo explicar los pasos uno por uno.',
    'Primero hay que saber dónde está el objeto y si el usuario tiene permiso para cambiarlo.',
    'Voy a responder con unas pocas frases cortas y a nombrar la orden que se necesita.',
  ],
};

export interface Chat {
  readonly reasoning_language: string;
  readonly developer: string;
  readonly user: string;
  readonly analysis: string;
  readonly final: string;
  readonly messages: readonly { readonly role: string; readonly content: string; readonly thinking: string | null }[];
}

/** A tenth of them, `wrong`, think in another language than they say. */
export const chats = (count: number, seed = 1): { readonly all: readonly Chat[]; readonly wrong: number } => {
  const r = random(seed);
  const languages = Object.keys(REASONING);
  let wrong = 0;
  const all = Array.from({ length: count }, (_, i): Chat => {
    const language = languages[i % languages.length]!;
    const [deed, thing, n] = [r.pick(DEEDS), r.pick(THINGS), i + 1];
    const isWrong = i % 10 === 9;
    if (isWrong) wrong++;
    const spoken = REASONING[isWrong ? languages[(i + 1) % languages.length]! : language]!;
    const analysis = `${spoken.map(s => s.replace('%t', thing).replace('%d', deed)).join(' ')} (${n})`;
    const user = `How do I ${deed} the ${thing} number ${n} on my machine?`;
    const final = `Choose ${thing} ${n} and press ${deed}; the ${thing} is then ready to be used again.`;
    const developer = 'Answer in one sentence.';
    return {
      ...{ reasoning_language: language, developer, user, analysis, final },
      messages: [
        { role: 'system', content: `reasoning language: ${language}\n\n${developer}`, thinking: null },
        { role: 'user', content: user, thinking: null },
        { role: 'assistant', content: final, thinking: analysis },
      ],
    };
  });
  return { all, wrong };
};

/** In row groups of 100, as the Hub's own converter writes them smaller than others do. */
export const asParquet = (all: readonly Chat[]): Uint8Array => {
  const texts = ['reasoning_language', 'developer', 'user', 'analysis', 'final'] as const;
  return parquetOf(
    [...texts.map(TEXT), ...MESSAGES('messages', ['content', 'role', 'thinking'])],
    {
      ...Object.fromEntries(texts.map(name => [name, all.map(c => c[name])])),
      messages: all.map(c => c.messages),
    },
    { group: 100, codec: 'ZSTD' },
  );
};

/** Asks for one answer that can be used: complete, not refused, and JSON that fits where a schema says so. */
import { type Emit, type Lineage, type Row, StageError } from '../contract.ts';
import type { Answer, Chat, Message, Question } from './chat.ts';
import { Unavailable } from './gate.ts';
import { PromptFailed } from './prompt.ts';
import { Refused } from './reply.ts';
import type { Shape } from './schema.ts';

/** The model answered, but not what can be used. */
export class Unusable extends Error {}

/** Tokens that a row has cost, whatever became of it. */
export interface Spent {
  input_tokens: number;
  output_tokens: number;
}

export const nothingSpent = (): Spent => ({ input_tokens: 0, output_tokens: 0 });

export interface Usable {
  /** The text, or of a schema the JSON that fits it. */
  readonly value: unknown;
  readonly answer: Answer;
}

interface Wanted {
  readonly question: Question;
  readonly shape?: Shape | null;
  /** How often the model may mend an answer that does not fit. */
  readonly repairs?: number;
}

/** Throws Unusable, and what `Chat.ask` does. */
export const askFor = async (
  chat: Chat,
  { question, shape = null, repairs = 0 }: Wanted,
  spent: Spent,
): Promise<Usable> => {
  let asked: Question = shape ? { ...question, schema: shape.schema } : question;
  for (let mended = 0; ; mended++) {
    const answer = await chat.ask(asked);
    spent.input_tokens += answer.tokens.input;
    spent.output_tokens += answer.tokens.output;
    const { content } = answer;
    const unusable = complaint(answer);
    if (unusable !== null) throw new Unusable(unusable);
    if (!shape) return { value: content.trim(), answer };
    const read = shape.read(content);
    if ('value' in read) return { value: read.value, answer };
    if (mended === repairs)
      throw new Unusable(
        `the answer does not fit the schema${mended > 0 ? `, mended ${times(mended)}` : ''}: ${read.wrong}`,
      );
    const more: Message[] = [
      { role: 'assistant', content },
      {
        role: 'user',
        content: `That cannot be used: ${read.wrong}. Answer again, with JSON only, which fits this JSON Schema:\n${JSON.stringify(shape.schema)}`,
      },
    ];
    asked = { ...asked, messages: [...asked.messages, ...more] };
  }
};

const times = (n: number): string => (n === 1 ? 'once' : n === 2 ? 'twice' : `${n} times`);

const complaint = ({ content, refusal, finish }: Answer): string | null => {
  if (refusal !== null) return `the model refuses: ${refusal}`;
  if (finish === 'length') return 'the answer was cut off: it is longer than max_tokens, or than the model can';
  if (finish === 'content_filter') return "the answer was held back by the server's content filter";
  return content.trim() === '' ? 'the answer is empty' : null;
};

export const lineageOf = (spent: Spent): Lineage => ({ spent: { ...spent } });

/** Of trouble with a row: why, and whether another build may fare better. Throws what is none of a row. */
export const rowTrouble = (error: unknown): { readonly why: string; readonly transient: boolean } => {
  if (error instanceof StageError) throw error;
  if (error instanceof Unavailable) return { why: error.message, transient: true };
  if (error instanceof Refused || error instanceof Unusable || error instanceof PromptFailed)
    return { why: error.message, transient: false };
  throw error;
};

/** Does the work for a row, and rejects it for what is the row's own trouble. */
export const orReject = async (row: Row, emit: Emit, work: (spent: Spent) => Promise<void>): Promise<void> => {
  const spent = nothingSpent();
  try {
    await work(spent);
  } catch (error) {
    const { why, transient } = rowTrouble(error);
    emit.reject(row, why, transient, spent.input_tokens + spent.output_tokens > 0 ? lineageOf(spent) : undefined);
  }
};

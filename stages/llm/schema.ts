/** JSON Schemas of answers: as servers want them, and answers checked by them. */
import { StageError } from '../contract.ts';
import { type Check, compileSchema } from '../json-schema.ts';

export type Schema = { readonly [keyword: string]: unknown };

/** A schema whose answers are objects, as servers ask of it: of another kind of value one that holds it. */
export interface Shape {
  /** Of an object. */
  readonly schema: Schema;
  /** Names of the fields that the answer is known to have. */
  readonly fields: readonly string[];
  /** The answer in a model's text, or what is wrong with it, told to the model and to the user. */
  read(text: string): { readonly value: unknown } | { readonly wrong: string };
}

const WHOLE = 'answer';

/** Throws StageError `bad-schema`. */
export const shapeOf = async (schema: Schema): Promise<Shape> => {
  const isObject = schema.type === 'object' || (schema.type === undefined && schema.properties !== undefined);
  const whole: Schema = isObject
    ? { type: 'object', ...schema }
    : { type: 'object', properties: { [WHOLE]: schema }, required: [WHOLE], additionalProperties: false };
  let check: Check;
  try {
    check = await compileSchema(whole);
  } catch (error) {
    throw new StageError('bad-schema', `\`schema\` is no JSON Schema: ${(error as Error).message}`);
  }
  return {
    schema: whole,
    fields: isObject ? Object.keys((schema.properties as object | undefined) ?? {}) : [],
    read: text => {
      const parsed = parse(text);
      if (parsed === undefined) return { wrong: 'it is not JSON' };
      const wrong = check(parsed);
      if (wrong !== null) return { wrong };
      return { value: isObject ? parsed : (parsed as Record<string, unknown>)[WHOLE] };
    },
  };
};

/** OpenAI's strict mode takes only schemas whose objects are closed and whose members are all required. */
export const strict = (schema: unknown): boolean => {
  if (Array.isArray(schema)) return schema.every(strict);
  if (typeof schema !== 'object' || schema === null) return true;
  const { type, properties, required, additionalProperties } = schema as Record<string, unknown>;
  if (type === 'object' || properties !== undefined) {
    const names = Object.keys((properties as object | undefined) ?? {});
    const needed = new Set(Array.isArray(required) ? (required as unknown[]) : []);
    if (additionalProperties !== false || names.some(n => !needed.has(n))) return false;
  }
  return Object.values(schema).every(strict);
};

/** Models like to put a fence around their JSON, or to think aloud before it. */
const parse = (text: string): unknown => {
  const bare = text.replace(/^\s*<think>[\s\S]*?<\/think>/, '').trim();
  const fenced = /^```(?:json)?\s*\n([\s\S]*?)\n?```$/.exec(bare)?.[1];
  for (const one of [bare, fenced]) {
    if (one === undefined) continue;
    try {
      return JSON.parse(one) as unknown;
    } catch {
      // The next reading may do.
    }
  }
  return undefined;
};

/** Definitions of functions that a model may call, and the format its answers must have, as rows bring them. */
import type { Fields, Json } from '../contract.ts';
import { RowError } from './row-error.ts';

/** OpenAI's `{type: "function", function: {…}}` taken apart. */
export interface FunctionTool {
  readonly name: string;
  readonly description: string | undefined;
  /** JSON Schema of the arguments. */
  readonly parameters: Json | undefined;
}

/** OpenAI's `response_format`. */
export interface ResponseFormat {
  readonly name: string;
  readonly description: string | undefined;
  readonly schema: Json;
}

type JsonObject = { readonly [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Datasets whose columns have one type each hold nested values as JSON. */
const parsed = (value: Json, where: string): Json => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    throw new RowError(`${where}: is text, but not JSON`);
  }
};

const text = (value: Json | undefined, where: string): string | undefined => {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new RowError(`${where}: expected a string`);
  if (!value.isWellFormed()) throw new RowError(`${where}: holds half a surrogate pair, which is not Unicode text`);
  return value;
};

const NAME = /^[\w.-]{1,128}$/;

const nameOf = (value: Json | undefined, where: string): string => {
  const name = text(value, where);
  if (name === undefined) throw new RowError(`${where}: missing`);
  if (!NAME.test(name)) throw new RowError(`${where}: "${name}" is no name (letters, digits, _ . and -)`);
  return name;
};

/** A field with a list of tools, or undefined where there are none. */
export const readTools = (value: Json | undefined, where: string): readonly Json[] | undefined => {
  if (value === undefined || value === null || value === '') return undefined;
  const list = parsed(value, where);
  if (list === null) return undefined;
  if (!Array.isArray(list)) throw new RowError(`${where}: expected a list of function definitions`);
  return list.length === 0 ? undefined : list;
};

/** The functions among `tools`; a tool of any other kind is an error, since nothing here renders it. */
export const functionTools = (tools: readonly Json[]): readonly FunctionTool[] =>
  tools.map((tool, i) => {
    const where = `tools[${i}]`;
    if (!isObject(tool)) throw new RowError(`${where}: expected an object`);
    if (tool.type !== undefined && tool.type !== null && tool.type !== 'function')
      throw new RowError(`${where}.type: only "function" can be rendered, not ${JSON.stringify(tool.type)}`);
    const own = tool.function ?? tool;
    if (!isObject(own)) throw new RowError(`${where}.function: expected an object`);
    const parameters = own.parameters === undefined || own.parameters === null ? undefined : own.parameters;
    return {
      name: nameOf(own.name, `${where}.name`),
      description: text(own.description, `${where}.description`),
      parameters: parameters === undefined ? undefined : parsed(parameters, `${where}.parameters`),
    };
  });

/**
 * `{type: "json_schema", json_schema: {name, description, schema}}` or its inner object; undefined for none, for plain text
 * and for JSON of any shape.
 */
export const readResponseFormat = (value: Json | undefined, where: string): ResponseFormat | undefined => {
  if (value === undefined || value === null || value === '') return undefined;
  const given = parsed(value, where);
  if (given === null) return undefined;
  if (!isObject(given)) throw new RowError(`${where}: expected an object`);
  if (given.type === 'text' || given.type === 'json_object') return undefined;
  const own = given.json_schema ?? given;
  if (!isObject(own)) throw new RowError(`${where}.json_schema: expected an object`);
  const schema = own.schema === undefined ? undefined : parsed(own.schema, `${where}.schema`);
  if (!isObject(schema)) throw new RowError(`${where}.schema: expected a JSON Schema`);
  return {
    name: nameOf(own.name, `${where}.name`),
    description: text(own.description, `${where}.description`),
    schema,
  };
};

/** Keys of an assistant's message that stand for a structured answer where it has no content. */
const STRUCTURED = ['steps', 'answer'] as const;

/** `{steps, answer}` of a message as JSON: what the assistant says where an answer is given in parts. */
export const structuredAnswer = (message: Fields): string | undefined => {
  const parts = STRUCTURED.filter(key => message[key] !== undefined && message[key] !== null);
  return parts.length === 0 ? undefined : JSON.stringify(Object.fromEntries(parts.map(key => [key, message[key]])));
};

/** JSON Schema as the TypeScript-like type that the Jinja template published with gpt-oss writes. */
import type { Json } from '../contract.ts';
import { jsonText } from './json-text.ts';
import { RowError } from './row-error.ts';
import { type FunctionTool, isObject } from './tools.ts';

type Schema = { readonly [key: string]: Json };

/** What a template takes for true. */
const truthy = (value: Json | undefined): value is Exclude<Json, null | false> =>
  Array.isArray(value) ? value.length > 0 : isObject(value) ? Object.keys(value).length > 0 : Boolean(value);

const plain: Readonly<Record<string, string>> = {
  string: 'string[]',
  number: 'number[]',
  integer: 'number[]',
  boolean: 'boolean[]',
};

/** Longer types of a list's items are not written out. */
const LONGEST_ITEM = 50;

const arrayType = ({ items, nullable }: Schema): string => {
  const tail = truthy(nullable) ? ' | null' : '';
  if (!truthy(items)) return `any[]${tail}`;
  const known = isObject(items) && typeof items.type === 'string' ? plain[items.type] : undefined;
  if (known !== undefined) return known + tail;
  const inner = publishedType(items);
  // Python counts code points.
  const isLong = inner === 'object | object' || [...inner].length > LONGEST_ITEM;
  return `${isLong ? 'any' : inner}[]${tail}`;
};

const join = (values: readonly Json[], between: string): string =>
  values.map(v => (typeof v === 'string' ? v : jsonText(v))).join(between);

/** The blanks and line breaks are those that the template's own layout leaves. */
const publishedType = (value: Json): string => {
  if (!isObject(value)) return 'any';
  const { type, oneOf, properties, required } = value;
  if (type === 'array') return arrayType(value);
  if (Array.isArray(type) && type.length > 0) return join(type, ' | ');
  if (Array.isArray(oneOf) && oneOf.length > 0)
    return oneOf
      .map((variant, i) => {
        const own: Schema = isObject(variant) ? variant : {};
        const said = truthy(own.description) ? `// ${String(own.description)}` : '';
        const fallback = own.default === undefined ? '' : `                    // default: ${jsonText(own.default)}`;
        return `${publishedType(variant)}${said}${fallback}${i < oneOf.length - 1 ? ' | \n' : ''}`;
      })
      .join('');
  switch (type) {
    case 'string':
      if (Array.isArray(value.enum) && value.enum.length > 0) return `"${join(value.enum, '" | "')}"`;
      return truthy(value.nullable) ? 'string | null' : 'string';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'object': {
      if (!isObject(properties) || !truthy(properties)) return 'object';
      const names = new Set(Array.isArray(required) ? required : []);
      const all = Object.entries(properties).map(
        ([key, schema]) => `${key}${names.has(key) ? '' : '?'}: \n                ${publishedType(schema)}`,
      );
      return `{\n${all.join(', ')}}`;
    }
    default:
      return 'any';
  }
};

const parameterDefault = (schema: Schema, where: string): string => {
  const { default: value } = schema;
  if (value === undefined) return '';
  if (!truthy(schema.enum) && !truthy(schema.oneOf)) return `, // default: ${jsonText(value)}`;
  if (typeof value !== 'string')
    throw new RowError(`${where}.default: the dialect "hf" takes only text beside "enum" and "oneOf"`);
  return `${truthy(schema.enum) ? ', ' : ''}// default: ${value}`;
};

/** `type name = (_: {…}) => any;` as the template writes it. Throws `RowError` where the template would fail. */
export const publishedFunction = ({ name, description, parameters }: FunctionTool, where: string): string => {
  if (description === undefined) throw new RowError(`${where}.description: missing, and the dialect "hf" needs one`);
  const head = `// ${description}\ntype ${name} = `;
  const properties = isObject(parameters) ? parameters.properties : undefined;
  if (!isObject(properties) || !truthy(properties)) return `${head}() => any;\n\n`;
  const { required } = parameters as Schema;
  const names = new Set(Array.isArray(required) ? required : []);
  const all = Object.entries(properties).map(([key, value]) => {
    const schema: Schema = isObject(value) ? value : {};
    const said = truthy(schema.description) ? `// ${String(schema.description)}\n` : '';
    const fallback = parameterDefault(schema, `${where}.parameters.${key}`);
    return `${said}${key}${names.has(key) ? '' : '?'}: ${publishedType(value)}${fallback},\n`;
  });
  return `${head}(_: {\n${all.join('')}}) => any;\n\n`;
};

/** JSON Schema as the TypeScript-like type that openai/harmony writes for a function's arguments. */
import type { Json } from '../contract.ts';
import { isObject } from './tools.ts';

type Schema = { readonly [key: string]: Json };

const isEnum = (schema: Schema): boolean => Array.isArray(schema.enum) && schema.enum.length > 0;

/** As serde_json writes a value: no space anywhere, `1e30` without a plus. */
const compact = (value: Json): string =>
  typeof value === 'number' ? String(value).replace('e+', 'e') : JSON.stringify(value);

const defaultWords = (schema: Schema, enumAsJson = false): string | undefined => {
  const { default: value } = schema;
  if (value === undefined) return undefined;
  if (typeof value !== 'string') return `default: ${compact(value)}`;
  if (!isEnum(schema)) return `default: "${value}"`;
  return `default: ${enumAsJson ? JSON.stringify(value) : value}`;
};

const comment = (words: readonly (string | undefined)[]): string => {
  const said = words.filter(w => w !== undefined);
  return said.length === 0 ? '' : ` // ${said.join(' ')}`;
};

const stringOf = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

/** The type, with `| null` where the schema says that it may be. */
const nullableType = (schema: Json, indent: string): string => {
  const type = typescriptType(schema, indent);
  return isObject(schema) && schema.nullable === true && !type.includes('null') ? `${type} | null` : type;
};

/** One alternative of a property a line, each with its own comment. */
const alternatives = (schema: Schema, name: string, indent: string): string => {
  const variants = schema.oneOf as readonly Json[];
  const described = stringOf(schema.description);
  const first = variants[0];
  // What the first alternative says just so is not said twice.
  const above = described !== undefined && !(isObject(first) && first.description === described);
  const lines = above ? [`${indent}// ${described}`] : [];
  const fallback = defaultWords(schema);
  if (fallback !== undefined) lines.push(`${indent}// ${fallback}`);
  lines.push(`${indent}${name}:`);
  for (const [i, variant] of variants.entries()) {
    const own = isObject(variant) ? variant : {};
    const words = stringOf(own.description);
    const said = (i === 0 && above) || words === described ? undefined : words;
    lines.push(`${indent} | ${nullableType(variant, `${indent}   `)}${comment([said, defaultWords(own)])}`);
  }
  return `${lines.join('\n')}\n${indent},\n`;
};

const property = (key: string, value: Json, isRequired: boolean, indent: string): string => {
  const schema: Schema = isObject(value) ? value : {};
  const line = (text: string) => `${indent}// ${text}\n`;
  const name = isRequired ? key : `${key}?`;
  let out = '';
  if (typeof schema.title === 'string') out += `${line(schema.title)}${indent}//\n`;
  if (schema.oneOf === undefined && typeof schema.description === 'string') out += line(schema.description);
  if (Array.isArray(schema.examples) && schema.examples.length > 0) {
    out += line('Examples:');
    for (const example of schema.examples) if (typeof example === 'string') out += line(`- "${example}"`);
  }
  if (Array.isArray(schema.oneOf)) return out + alternatives(schema, name, indent);
  const fallback = schema.oneOf === undefined ? defaultWords(schema) : undefined;
  return `${out}${indent}${name}: ${nullableType(value, `${indent}    `)},${comment([fallback])}\n`;
};

const objectType = (schema: Schema, indent: string): string => {
  const { properties, required } = schema;
  const head = typeof schema.description === 'string' ? `${indent}// ${schema.description}\n{\n` : '{\n';
  const names = new Set(Array.isArray(required) ? required : []);
  const all = isObject(properties) ? Object.entries(properties) : [];
  return `${head}${all.map(([key, value]) => property(key, value, names.has(key), indent)).join('')}${indent}}`;
};

/** Byte for byte what openai/harmony 0.0.8 gives, its odd indentation included. `indent` stands before each line within. */
export const typescriptType = (schema: Json, indent: string): string => {
  if (!isObject(schema)) return 'any';
  const { oneOf, type, items } = schema;
  if (Array.isArray(oneOf))
    return oneOf
      .map((variant: Json) => {
        const own = isObject(variant) ? variant : {};
        const said = comment([stringOf(own.description), defaultWords(own, true)]);
        return `\n${indent} | ${nullableType(variant, `${indent}   `)}${said}`;
      })
      .join('');
  if (Array.isArray(type)) {
    const names = type.filter(t => typeof t === 'string').map(t => (t === 'integer' ? 'number' : t));
    if (names.length > 0) return names.join(' | ');
  }
  switch (type) {
    case 'object':
      return objectType(schema, indent);
    case 'string': {
      const values = (Array.isArray(schema.enum) ? schema.enum : []).filter(v => typeof v === 'string');
      return values.length > 0 ? values.map(v => `"${v}"`).join(' | ') : 'string';
    }
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return items === undefined ? 'Array<any>' : `${typescriptType(items, indent)}[]`;
    default:
      return 'any';
  }
};

/** The texts of a row that lengths are told of, by the names under which they are told. */
import type { Fields, Json } from '../../contract.ts';
import { textsOf, valuesAt } from '../text/texts.ts';

export interface Told {
  readonly name: string;
  /** Measured together. */
  readonly texts: readonly string[];
  /** Of a list, how many items it has. */
  readonly items?: number;
}

type Message = { readonly [key: string]: Json };

const isMessage = (value: Json): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && typeof (value as Message).role === 'string';

/** A conversation: all of it, what each role says, and the reasoning. */
const ofMessages = (name: string, messages: readonly Message[]): Told[] => {
  const byRole = new Map<string, string[]>();
  const thinking: string[] = [];
  for (const { role, content, thinking: thought } of messages) {
    if (typeof thought === 'string' && thought !== '') thinking.push(thought);
    if (typeof content !== 'string') continue;
    const own = byRole.get(role as string);
    if (own) own.push(content);
    else byRole.set(role as string, [content]);
  }
  const all = [...byRole.values(), thinking].flat();
  return [
    { name, texts: all, items: messages.length },
    ...[...byRole].map(([role, texts]) => ({ name: `${name}.${role}`, texts })),
    ...(thinking.length > 0 ? [{ name: `${name}.thinking`, texts: thinking }] : []),
  ];
};

/** Of the fields that are named, or of all that hold texts or conversations; lists of numbers (token ids) are told by their length. */
export const toldOf = (fields: Fields, names: readonly string[] | null): readonly Told[] => {
  if (names)
    return names.flatMap((name): Told[] => {
      const values = valuesAt(fields, name);
      if (values.length === 0) return [];
      const [only] = values;
      if (values.length === 1 && Array.isArray(only)) return ofList(name, only as readonly Json[]);
      const texts = textsOf(fields, name);
      return texts.length > 0 ? [{ name, texts }] : [];
    });
  return Object.entries(fields).flatMap(([name, value]): Told[] => {
    if (typeof value === 'string') return [{ name, texts: [value] }];
    return Array.isArray(value) ? ofList(name, value as readonly Json[]) : [];
  });
};

const ofList = (name: string, list: readonly Json[]): Told[] => {
  if (list.length > 0 && list.every(isMessage)) return ofMessages(name, list);
  if (list.every(item => typeof item === 'number')) return [{ name, texts: [], items: list.length }];
  return list.every(item => typeof item === 'string')
    ? [{ name, texts: list as readonly string[], items: list.length }]
    : [];
};

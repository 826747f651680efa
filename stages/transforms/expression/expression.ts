/**
 * Expressions over the fields of a row: `length(response) > 2 * length(instruction) and lang in ['en', 'es']`. A small language
 * of our own, so that a recipe runs no code: no loops, and no calls but of the functions in `operators.ts`.
 *
 *   or:   and { "or" and }                     not:   "not" not | test
 *   and:  not { "and" not }                    test:  sum [ ("==" | "!=" | "<" … | "in" | "not in" | "matches") sum ]
 *   sum:  product { ("+" | "-") product }      product:  value { ("*" | "/" | "%") value }
 *   value:  number | 'text' | [ list ] | true | false | null | -value | (or) | function(or) | field | field.path
 */
import type { Fields } from '../../contract.ts';
import { valueAt } from '../text/texts.ts';
import {
  ARITHMETIC,
  compare,
  equal,
  FUNCTIONS,
  kindOf,
  member,
  number,
  type Part,
  RowTrouble,
  SIGNS,
  truth,
} from './operators.ts';
import { mistake, type Token, tokens } from './tokens.ts';

export { RowTrouble } from './operators.ts';

const RESERVED = new Set(['and', 'or', 'not', 'in', 'matches']);

/** Deeper than anybody writes. */
const DEEPEST = 100;

/** A row passes where it gives true. Error `invalid-expression` for what cannot be read, `RowTrouble` for what a row does not have. */
export const compile = (expression: string): ((fields: Fields) => boolean) => {
  const all = tokens(expression);
  let next = 0;
  let depth = 0;
  const peek = (): Token => all[next]!;
  const is = (...values: string[]): boolean => peek().kind !== 'text' && values.includes(peek().value as string);
  const fail = (why: string): never => {
    throw mistake(expression, peek().at, why);
  };
  const take = (value: string): void => {
    if (!is(value)) fail(`"${value}" is missing`);
    next++;
  };
  const from = (start: number, value: Part['value']): Part => ({
    value,
    source: expression.slice(all[start]!.at, all[next]!.at).trim(),
  });

  const value = (): Part => {
    const start = next;
    const token = peek();
    if (token.kind === 'number' || token.kind === 'text') {
      next++;
      return from(start, () => token.value);
    }
    if (is('-')) {
      next++;
      const part = number(value());
      return from(start, fields => -part(fields));
    }
    if (is('(')) {
      next++;
      const inner = or();
      take(')');
      return from(start, inner.value);
    }
    if (is('[')) return list();
    if (token.kind !== 'name' || RESERVED.has(token.value))
      return fail(token.kind === 'end' ? 'something is missing here' : `"${token.value}" cannot stand here`);
    next++;
    const name = token.value;
    if (name === 'true' || name === 'false') return from(start, () => name === 'true');
    if (name === 'null') return from(start, () => null);
    if (is('(')) return call(name, start);
    const path = name.startsWith('`') ? name.slice(1, -1) : name;
    return from(start, fields => valueAt(fields, path));
  };

  const list = (): Part => {
    const start = next;
    take('[');
    const items: Part[] = [];
    while (!is(']')) {
      items.push(or());
      if (!is(']')) take(',');
    }
    next++;
    return from(start, fields => items.map(item => item.value(fields)));
  };

  const call = (name: string, start: number): Part => {
    const made = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name]! : null;
    if (!made) {
      next = start;
      fail(`there is no function "${name}": ${Object.keys(FUNCTIONS).join(', ')}`);
    }
    take('(');
    const argument = or();
    take(')');
    return from(start, made!(argument));
  };

  const chain = (of: () => Part, signs: readonly string[]): Part => {
    const start = next;
    let left = of();
    while (peek().kind === 'mark' && is(...signs)) {
      const operate = ARITHMETIC[peek().value as string]!;
      next++;
      const [a, b] = [number(left), number(of())];
      left = from(start, fields => operate(a(fields), b(fields)));
    }
    return left;
  };
  const product = (): Part => chain(value, ['*', '/', '%']);
  const sum = (): Part => chain(product, ['+', '-']);

  const test = (): Part => {
    const start = next;
    const left = sum();
    if (is('==', '!=')) {
      const wanted = peek().value === '==';
      next++;
      const right = sum();
      return from(start, fields => equal(left.value(fields), right.value(fields)) === wanted);
    }
    if (peek().kind === 'mark' && Object.hasOwn(SIGNS, peek().value)) {
      const sign = SIGNS[peek().value as string]!;
      next++;
      return from(start, compare(left, sum(), sign));
    }
    const negated = is('not') && all[next + 1]?.value === 'in';
    if (negated) next++;
    if (is('in')) {
      next++;
      const holds = member(left, sum());
      return from(start, fields => holds(fields) !== negated);
    }
    return is('matches') ? matches(left, start) : left;
  };

  const matches = (left: Part, start: number): Part => {
    next++;
    const token = peek();
    if (token.kind !== 'text') return fail('a regular expression in quotes is missing');
    let pattern: RegExp;
    try {
      pattern = new RegExp(token.value, 'u');
    } catch (error) {
      return fail(
        `this is no regular expression: ${(error as Error).message.replace(/^Invalid regular expression: /, '')}`,
      );
    }
    next++;
    return from(start, fields => {
      const text = left.value(fields);
      if (typeof text !== 'string') throw new RowTrouble(`${left.source} is ${kindOf(text)}, not a text`);
      return pattern.test(text);
    });
  };

  const not = (): Part => {
    if (!is('not', '!')) return test();
    const start = next;
    next++;
    const part = truth(not());
    return from(start, fields => !part(fields));
  };

  const and = (): Part => {
    const start = next;
    let left = not();
    while (is('and', '&&')) {
      next++;
      const [a, b] = [truth(left), truth(not())];
      left = from(start, fields => a(fields) && b(fields));
    }
    return left;
  };

  function or(): Part {
    if (++depth > DEEPEST) fail('this is nested too deep');
    const start = next;
    let left = and();
    while (is('or', '||')) {
      next++;
      const [a, b] = [truth(left), truth(and())];
      left = from(start, fields => a(fields) || b(fields));
    }
    depth--;
    return left;
  }

  const whole = or();
  if (peek().kind !== 'end') fail(`"${peek().value}" cannot stand here`);
  return truth(whole);
};

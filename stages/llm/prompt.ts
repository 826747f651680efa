/** Prompts: Jinja templates over a row's fields. */
import { type Fields, StageError } from '../contract.ts';
import { Template } from '../templates/jinja.ts';

/** The row lacks something that a prompt names. */
export class PromptFailed extends Error {}

export interface Prompt {
  /** Throws PromptFailed. */
  of(fields: Fields, more?: Fields): string;
}

/** `name` is the option's, for messages. Throws StageError `bad-prompt`. */
export const openPrompt = (source: string, name: string): Prompt => {
  const wrong = (why: string): never => {
    throw new StageError('bad-prompt', `\`${name}\` ${why}`, {
      advice: 'fields of the row stand in two braces: {{ text }}',
    });
  };
  if (/\bstrftime_now\b/.test(source)) return wrong('asks for the time: it would be another one in each build');
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    return wrong(`cannot be parsed: ${(error as Error).message}`);
  }
  const needed = namesIn(template.parsed as unknown as Node_);
  return {
    of: (fields, more = {}) => {
      for (const field of needed)
        if (!Object.hasOwn(fields, field) && !Object.hasOwn(more, field))
          throw new PromptFailed(`\`${name}\` names the field "${field}", which this row does not have`);
      try {
        return template.render({ fields, ...fields, ...more });
      } catch (error) {
        throw new PromptFailed(`\`${name}\` cannot be filled in: ${(error as Error).message}`);
      }
    },
  };
};

/** A node of the template's syntax tree, as far as it matters here. */
interface Node_ {
  readonly type?: string;
  readonly value?: unknown;
  readonly [part: string]: unknown;
}

/** What every template knows. */
const GLOBAL = new Set(['fields', 'loop', 'range', 'namespace', 'raise_exception', 'true', 'false', 'none']);

/**
 * Names that a template uses without asking first whether they are there: not those in an `if`, or under `default` or
 * `is defined`.
 */
export const namesIn = (program: unknown): ReadonlySet<string> => {
  const found = new Set<string>();
  const visit = (node: unknown, bound: ReadonlySet<string>): void => {
    if (Array.isArray(node)) {
      let known = bound;
      for (const one of node as Node_[]) {
        visit(one, known);
        if (one?.type === 'Set' || one?.type === 'Macro')
          known = new Set([...known, ...identifiers(one.assignee ?? one.name)]);
      }
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    const { type, ...parts } = node as Node_;
    switch (type) {
      case 'Identifier':
        if (typeof parts.value === 'string' && !bound.has(parts.value) && !GLOBAL.has(parts.value))
          found.add(parts.value);
        break;
      case 'If':
      case 'Ternary':
      case 'SelectExpression':
      case 'TestExpression':
      case 'Macro':
        break;
      case 'Set':
      case 'KeywordArgumentExpression':
        visit(parts.value, bound);
        break;
      case 'For':
        visit(parts.iterable, bound);
        visit(parts.body, new Set([...bound, ...identifiers(parts.loopvar)]));
        break;
      case 'MemberExpression':
        visit(parts.object, bound);
        if (parts.computed) visit(parts.property, bound);
        break;
      case 'FilterExpression': {
        const { filter } = parts as { filter: Node_ };
        const call = filter.type === 'CallExpression';
        if ((call ? (filter.callee as Node_) : filter).value !== 'default') visit(parts.operand, bound);
        if (call) visit(filter.args, bound);
        break;
      }
      default:
        for (const part of Object.values(parts)) if (typeof part === 'object') visit(part, bound);
    }
  };
  visit(program, new Set());
  return found;
};

const identifiers = (node: unknown): string[] => {
  if (typeof node !== 'object' || node === null) return [];
  const { type, value } = node as Node_;
  if (type === 'Identifier') return [String(value)];
  return Array.isArray(value) ? value.flatMap(identifiers) : [];
};

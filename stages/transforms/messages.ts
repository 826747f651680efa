/** Transform `messages`: conversations of any usual shape become lists of messages, as the templates take them. */
import type { MessagesOptions } from '../../schemas/types.ts';
import type { Fields, RowsStage } from '../contract.ts';
import { RowError, readConversation } from '../templates/conversation.ts';
import { readDefinitions } from './messages/calls.ts';
import type { Speaker } from './messages/roles.ts';
import { messageOf, settle } from './messages/settle.ts';
import { type ColumnNames, conversationOf } from './messages/shapes.ts';
import { firstOf } from './messages/turn.ts';

export type Options = MessagesOptions;

/** Fields that hold definitions of functions. */
const TOOLS = ['tools', 'functions', 'tool_definitions', 'available_tools'];
/** What the row says besides; the template reads columns of its own only where there are no messages. */
const COLUMNS = { messages: 'messages', user: '', assistant: '', thinking: '' };

const convert = (fields: Fields, options: Options): Fields => {
  const { turns, used } = conversationOf(fields, {
    shape: options.shape,
    ...(options.field === undefined ? {} : { field: options.field }),
    ...(options.columns === undefined ? {} : { columns: options.columns as ColumnNames }),
    roles: (options.roles ?? {}) as Readonly<Record<string, Speaker>>,
    tags: options.tags,
    rolePrefixes: options.role_prefixes,
  });
  const messages = settle(turns, options).map(messageOf);
  const defined = firstOf(fields, TOOLS);
  const tools = defined ? readDefinitions(defined.value, defined.key) : [];
  const taken = new Set([...used, ...(defined ? [defined.key] : [])]);
  const wanted = (name: string) => !taken.has(name) && (options.keep === undefined || options.keep.includes(name));
  const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => wanted(name)));
  const out = { ...rest, messages, ...(tools.length > 0 ? { tools } : {}) };
  // What a template would refuse is refused here, where the reason still names the row's own shape.
  readConversation(out, COLUMNS);
  return out;
};

export default {
  kind: 'rows',
  map(row, emit, _state, options) {
    try {
      emit.keep(row, convert(row.fields, options));
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      emit.reject(row, error.message);
    }
  },
} satisfies RowsStage<Options>;

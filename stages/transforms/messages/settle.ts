/** Makes a conversation of turns that templates can take: reasoning joined to its answer, results to their calls, nothing left open. */
import type { Json } from '../../contract.ts';
import { fail, type Turn } from './turn.ts';

export interface SettleOptions {
  /** What becomes of messages at the end that nobody answers. */
  readonly unanswered: 'trim' | 'keep' | 'reject';
  readonly consecutive: 'keep' | 'merge';
  readonly system: 'keep' | 'drop';
}

/** A message of the analysis channel is the reasoning of the assistant's next one. */
const joinThinking = (turns: readonly Turn[]): Turn[] => {
  const out: Turn[] = [];
  let thinking = '';
  for (const [i, turn] of turns.entries()) {
    const next = turns[i + 1];
    const only = turn.role === 'assistant' && !turn.calls && next?.role === 'assistant';
    const thought = turn.channel === 'analysis' ? turn.content : turn.content === '' ? (turn.thinking ?? '') : '';
    if (only && thought !== '') {
      thinking = [thinking, turn.channel === 'analysis' ? (turn.thinking ?? '') : '', thought]
        .filter(Boolean)
        .join('\n\n');
      continue;
    }
    if (thinking === '') out.push(turn);
    else out.push({ ...turn, thinking: [thinking, turn.thinking].filter(Boolean).join('\n\n') });
    thinking = '';
  }
  return out;
};

const joined = (a: string, b: string): string => [a, b].filter(text => text !== '').join('\n\n');

const mergeTurns = (turns: readonly Turn[]): Turn[] => {
  const out: Turn[] = [];
  for (const turn of turns) {
    const last = out.at(-1);
    const same = last?.role === turn.role && turn.role !== 'tool' && !last.calls && last.channel === turn.channel;
    if (!last || !same) {
      out.push(turn);
      continue;
    }
    const thinking = joined(last.thinking ?? '', turn.thinking ?? '');
    out[out.length - 1] = {
      ...last,
      ...turn,
      at: last.at,
      content: joined(last.content, turn.content),
      ...(thinking === '' ? {} : { thinking }),
    };
  }
  return out;
};

/** Every result answers a call before it: by its id, else in order. */
const checkCalls = (turns: readonly Turn[]): Turn[] => {
  const pending: { name: string; id?: string }[] = [];
  const known = new Map<string, string>();
  return turns.map(turn => {
    for (const { id, name } of turn.calls ?? []) {
      pending.push({ name, ...(id === undefined ? {} : { id }) });
      if (id !== undefined) known.set(id, name);
    }
    if (turn.role !== 'tool') return turn;
    if (turn.callId !== undefined) {
      const name = known.get(turn.callId);
      if (name === undefined)
        return fail(turn.at, `answers the call ${JSON.stringify(turn.callId)}, which no message before it makes`);
      const at = pending.findIndex(call => call.id === turn.callId);
      if (at !== -1) pending.splice(at, 1);
      return { ...turn, name: turn.name ?? name };
    }
    const at = Math.max(0, turn.name === undefined ? 0 : pending.findIndex(call => call.name === turn.name));
    const call = pending.splice(at, 1)[0];
    if (!call && turn.name === undefined) return fail(turn.at, 'a tool answers, but no call stands before it');
    return { ...turn, name: turn.name ?? call!.name, ...(call?.id === undefined ? {} : { callId: call.id }) };
  });
};

const isSystem = ({ role }: Turn): boolean => role === 'system' || role === 'developer';

const checkOrder = (turns: readonly Turn[]): void => {
  for (const [i, turn] of turns.entries()) {
    if (isSystem(turn) && i > 0 && !turns.slice(0, i).every(isSystem))
      fail(turn.at, `a ${turn.role} message can only stand at the beginning`);
    if (turn.role === 'user' && turn.content.trim() === '') fail(turn.at, 'the user says nothing');
    if (turn.role === 'assistant' && turn.content.trim() === '' && !turn.calls)
      fail(turn.at, 'the assistant says nothing');
  }
};

/** Throws `RowError` with the place in the row and what is wrong there. */
export const settle = (given: readonly Turn[], options: SettleOptions): readonly Turn[] => {
  let turns: Turn[] = joinThinking(given.filter(turn => !(isSystem(turn) && turn.content.trim() === '')));
  if (options.system === 'drop') turns = turns.filter(turn => !isSystem(turn));
  if (options.consecutive === 'merge') turns = mergeTurns(turns);
  const last = turns.findLastIndex(turn => turn.role === 'assistant');
  if (last === -1) fail(given[0]?.at ?? 'messages', 'nothing to learn: the assistant says nothing');
  if (last < turns.length - 1) {
    if (options.unanswered === 'reject') fail(turns[last + 1]!.at, 'nobody answers this message');
    if (options.unanswered === 'trim') turns = turns.slice(0, last + 1);
  }
  checkOrder(turns);
  return checkCalls(turns);
};

/** A message as templates take it. */
export const messageOf = ({ role, content, thinking, calls, name, callId, channel, train }: Turn): Json => ({
  role,
  content,
  ...(thinking === undefined || thinking === '' ? {} : { thinking }),
  ...(calls
    ? {
        tool_calls: calls.map(({ id, name: called, arguments: given }) => ({
          ...(id === undefined ? {} : { id }),
          type: 'function',
          function: { name: called, arguments: given },
        })),
      }
    : {}),
  ...(name === undefined ? {} : { name }),
  ...(callId === undefined ? {} : { tool_call_id: callId }),
  ...(channel === undefined || role !== 'assistant' ? {} : { channel }),
  ...(train === undefined ? {} : { train }),
});

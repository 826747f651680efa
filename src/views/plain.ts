/** Lines for pipes and CI: what finished, what takes long, what went wrong; no cursor movement. */
import type { BuildEvent, NodeState } from '../events.ts';
import { type NodeStatus, openBoard, progressParts } from './board.ts';
import { renderFailure, renderFailures } from './failures.ts';
import { clock, duration, thousands } from './numbers.ts';
import { choosePalette } from './palette.ts';
import { pad, visible, visibleLines, width } from './printable.ts';
import { openSink } from './sink.ts';
import { lockLines, MANY, noteOf, renderEnd, STYLE } from './table.ts';
import type { View, ViewStreams } from './view.ts';

/** Milliseconds: a node takes long from here on, then says so at most this often, and how often when nothing moves. */
const LONG = 2000;
const AGAIN = 5000;
const SILENT = 30_000;
const TICK = 1000;

const NAME_COLUMNS = 32;
const STATE_COLUMNS = 7;

export const openPlain = ({ stdout, stderr, env }: ViewStreams): View => {
  const out = openSink(stdout);
  const err = openSink(stderr);
  const palette = choosePalette(env, false);
  const board = openBoard();
  const told = new Map<string, { at: number; text: string }>();
  let cached: string[] | null = [];
  let nameColumns = 0;
  let timer: NodeJS.Timeout | null = null;

  /** Cached nodes are news only beside one that is not. */
  const releaseCached = (): void => {
    for (const line of cached ?? []) out.write(line);
    cached = null;
  };

  const finished = (node: NodeStatus): void => {
    const state = node.state as NodeState;
    const time = state === 'skipped' ? '' : duration(node.seconds);
    const rows = node.rows === null ? '' : `${thousands(node.rows)} rows`;
    const name = pad(visible(node.name), nameColumns);
    const text = [name, pad(rows, -12), pad(time, -8), noteOf(node)].join('  ').trimEnd();
    const line = `${palette(STYLE[state], pad(state, STATE_COLUMNS))}  ${text}\n`;
    // In a big graph those that did nothing are only counted, at the end.
    const quiet = state === 'cached' || state === 'skipped';
    if (quiet && board.nodes.size > MANY) return;
    if (state === 'cached' && cached !== null) cached.push(line);
    else {
      releaseCached();
      out.write(line);
    }
  };

  const report = (node: NodeStatus, now: number): void => {
    if (node.state !== 'running' || node.started === null || now - node.started < LONG) return;
    const last = told.get(node.name);
    const parts = progressParts(node, now);
    const text = parts.length === 0 ? 'running' : parts.join(', ');
    if (last !== undefined && now - last.at < (text === last.text ? SILENT : AGAIN)) return;
    told.set(node.name, { at: now, text });
    const since = text === last?.text || parts.length === 0 ? `, ${clock((now - node.started) / 1000)}` : '';
    releaseCached();
    out.write(`${pad('…', STATE_COLUMNS)}  ${pad(visible(node.name), nameColumns)}  ${visible(text)}${since}\n`);
  };

  const tick = (): void => {
    for (const node of board.nodes.values()) report(node, performance.now());
  };

  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };

  const draw = (event: BuildEvent, node: NodeStatus | null): void => {
    switch (event.type) {
      case 'build':
        nameColumns = Math.min(NAME_COLUMNS, Math.max(0, ...event.nodes.map(n => width(visible(n.name)))));
        return;
      case 'start':
        timer ??= setInterval(tick, TICK).unref();
        return;
      case 'progress':
      case 'measure':
        report(node!, performance.now());
        return;
      case 'warn': {
        releaseCached();
        const words = visibleLines(event.message).join('\n  ');
        err.write(
          `${palette('yellow', 'warning')}: ${event.node === null ? '' : `${visible(event.node)}: `}${words}\n`,
        );
        return;
      }
      case 'done':
        finished(node!);
        return;
      case 'failed':
        finished(node!);
        if (node!.state === 'interrupted') return;
        err.write(renderFailure(event.failure, { palette }));
        if (event.log !== undefined) err.write(`  log: ${visible(event.log)}\n`);
        return;
      case 'skipped':
        finished(node!);
        return;
      case 'lock':
        releaseCached();
        for (const line of lockLines(event)) out.write(`${line}\n`);
        return;
      case 'mistakes':
        err.write(renderFailures(event.failures, { palette }));
        return;
      case 'summary': {
        stop();
        const text = renderEnd(event, board.nodes, { palette });
        out.write(text !== '' && cached === null ? `\n${text}` : text);
      }
    }
  };

  return {
    emit: event => draw(event, board.apply(event, performance.now())),
    pause: () => () => {},
    close: async () => {
      stop();
      await Promise.all([out.drained(), err.drained()]);
    },
  };
};

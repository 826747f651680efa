/** `--json`: one event a line on stdout and nothing else; the last one is the summary. */
import type { BuildEvent } from '../events.ts';
import { openSink } from './sink.ts';
import type { View, ViewStreams } from './view.ts';

type Progress = Extract<BuildEvent, { type: 'progress' }>;

/** Milliseconds between two `progress` events of one node: about ten a second. */
const EVERY = 100;

// C1 controls, line separators and direction marks are legal in JSON, but a terminal may obey them.
const UNSAFE = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export const toLine = (event: object): string =>
  `${JSON.stringify(event).replace(UNSAFE, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;

const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000;

/** Exactly the promised fields, in the promised order, whatever else the engine knows. */
const contract = ({ ok, seconds, nodes }: Extract<BuildEvent, { type: 'summary' }>): BuildEvent => ({
  type: 'summary',
  ok,
  seconds: milliseconds(seconds),
  nodes: nodes.map(node => {
    const { name, state, key, rows, computed } = node;
    return { name, state, key, seconds: milliseconds(node.seconds), rows, computed };
  }),
});

/** `more` is added to every event: which build it belongs to, where there are several. */
export const openJson = (
  { stdout }: Pick<ViewStreams, 'stdout'>,
  more: Readonly<Record<string, unknown>> = {},
): View => {
  const sink = openSink(stdout);
  const written = new Map<string, number>();
  const held = new Map<string, Progress>();
  let timer: NodeJS.Timeout | null = null;
  let ended = false;

  const put = (event: BuildEvent): void => sink.write(toLine({ ...event, ...more }));
  const release = (node: string): void => {
    const event = held.get(node);
    if (event === undefined) return;
    held.delete(node);
    written.set(node, performance.now());
    put(event);
  };
  const releaseAll = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    for (const node of [...held.keys()]) release(node);
  };
  const progress = (event: Progress): void => {
    held.set(event.node, event);
    if (performance.now() - (written.get(event.node) ?? -Infinity) >= EVERY) release(event.node);
    else timer ??= setTimeout(releaseAll, EVERY).unref();
  };

  return {
    emit: event => {
      if (ended) return;
      if (event.type === 'progress') progress(event);
      else if (event.type === 'summary') {
        releaseAll();
        ended = true;
        put(contract(event));
      } else {
        // What a node says last must not come after its end.
        if ('node' in event && event.node !== null) release(event.node);
        put(event);
      }
    },
    pause: () => () => {},
    close: () => {
      releaseAll();
      return sink.drained();
    },
  };
};

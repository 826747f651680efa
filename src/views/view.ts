/** Opens the view that fits: live on a terminal, plain lines in a pipe, JSON lines for programs. */
import type { BuildEvent } from '../events.ts';
import { openJson } from './json.ts';
import { openLive } from './live.ts';
import { colourWish, type Env } from './palette.ts';
import { openPlain } from './plain.ts';
import { asItIs, type Redact, redactEvent } from './redact.ts';
import type { OutStream } from './sink.ts';

export interface View {
  emit(event: BuildEvent): void;
  /** Leaves the terminal to a question; what is returned goes on drawing. */
  pause(): () => void;
  /** Ends all drawing; resolves when everything is written. Safe to call without a summary, and twice. */
  close(): Promise<void>;
}

export interface ViewStreams {
  readonly stdout: OutStream;
  readonly stderr: OutStream;
  readonly env: Env;
}

export interface ViewOptions extends ViewStreams {
  readonly mode: 'auto' | 'plain' | 'json';
  /** Applied to every event before it is drawn or written. */
  readonly redact?: Redact;
}

const isSet = (value: string | undefined): boolean => value !== undefined && !['', '0', 'false'].includes(value);

/** A terminal whose user has not asked for calm: no CI, no TERM=dumb, no NO_COLOR. */
const wantsLive = ({ stdout, env }: ViewStreams): boolean =>
  stdout.isTTY === true && env.TERM !== 'dumb' && !isSet(env.CI) && colourWish(env) !== false;

export const openView = (options: ViewOptions): View => {
  const { mode, redact } = options;
  const open = mode === 'json' ? openJson : mode === 'auto' && wantsLive(options) ? openLive : openPlain;
  const view = open(options);
  return redact === undefined || redact === asItIs
    ? view
    : { ...view, emit: event => view.emit(redactEvent(event, redact)) };
};

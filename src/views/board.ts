/** How a build stands, folded from its events: what the plain and the live view draw. */
import type { BuildEvent, BuildNode, NodeState, NodeSummary } from '../events.ts';
import type { Failure } from '../failure.ts';
import { decimal, remaining, thousands } from './numbers.ts';

export interface NodeStatus {
  readonly name: string;
  readonly section: string;
  readonly variant: NonNullable<BuildNode['variant']> | null;
  readonly state: 'waiting' | 'running' | NodeState;
  /** Milliseconds on the clock of `apply`; null before the start. */
  readonly started: number | null;
  readonly why: string;
  readonly progress: {
    readonly done: number;
    readonly total: number | null;
    readonly unit: string;
    readonly note: string;
  } | null;
  /** First progress seen: what was done before (a resumed training) does not count for the speed. */
  readonly first: { readonly at: number; readonly done: number } | null;
  readonly values: Readonly<Record<string, number>>;
  /** The last measurements' times and tokens, for the speed. */
  readonly tokens: readonly { readonly at: number; readonly tokens: number }[];
  readonly seconds: number;
  readonly rows: number | null;
  readonly computed: number | null;
  readonly reused: number;
  /** Words for the table: of the result, why it was skipped, or the failure's reason. */
  readonly note: string;
  readonly metrics: Readonly<Record<string, unknown>> | null;
  readonly out: string | null;
  readonly failure: Failure | null;
}

export interface Board {
  /** In the recipe's order. */
  readonly nodes: ReadonlyMap<string, NodeStatus>;
  /** Takes an event in; answers the node it was about, as it now stands. */
  apply(event: BuildEvent, now: number): NodeStatus | null;
}

const TOKEN_WINDOW = 16;

const waiting = (name: string, section = '', variant: NodeStatus['variant'] = null): NodeStatus => ({
  name,
  section,
  variant,
  state: 'waiting',
  started: null,
  why: '',
  progress: null,
  first: null,
  values: {},
  tokens: [],
  seconds: 0,
  rows: null,
  computed: null,
  reused: 0,
  note: '',
  metrics: null,
  out: null,
  failure: null,
});

/** The change that an event makes to its node. */
const changed = (event: BuildEvent, node: NodeStatus, now: number): Partial<NodeStatus> => {
  switch (event.type) {
    case 'start':
      return { state: 'running', started: now, why: event.why };
    case 'progress': {
      const { done, total, unit, note = '' } = event;
      // A count that went back starts a new round (an epoch, a second pass).
      const first = node.first !== null && node.first.done <= done ? node.first : { at: now, done };
      return { progress: { done, total, unit, note }, first };
    }
    case 'measure': {
      const tokens = event.values.tokens;
      const values = { ...node.values, ...event.values };
      return tokens === undefined
        ? { values }
        : { values, tokens: [...node.tokens, { at: now, tokens }].slice(-TOKEN_WINDOW) };
    }
    case 'done': {
      const { state, seconds, rows, computed, reused = 0, note = '', metrics = null, out = null } = event;
      return { state, seconds, rows, computed, reused, note, metrics, out };
    }
    case 'failed': {
      const state = event.failure.reason === 'interrupted' ? 'interrupted' : 'failed';
      return { state, seconds: event.seconds, note: event.failure.reason, failure: event.failure };
    }
    case 'skipped':
      return { state: 'skipped', note: event.because };
    default:
      return {};
  }
};

export const openBoard = (): Board => {
  const nodes = new Map<string, NodeStatus>();
  const settle = (summary: NodeSummary): void => {
    const before = nodes.get(summary.name) ?? waiting(summary.name);
    const { state, seconds, rows, computed } = summary;
    // Of thousands that were cached nothing is new.
    if (before.state === state && before.seconds === seconds && before.rows === rows && before.computed === computed)
      return;
    nodes.set(summary.name, { ...before, state, seconds, rows, computed });
  };
  return {
    nodes,
    apply: (event, now) => {
      if (event.type === 'build')
        for (const n of event.nodes) nodes.set(n.name, waiting(n.name, n.section, n.variant ?? null));
      if (event.type === 'summary') event.nodes.forEach(settle);
      if (!('node' in event) || event.node === null || event.type === 'warn') return null;
      const before = nodes.get(event.node) ?? waiting(event.node);
      const after = { ...before, ...changed(event, before, now) };
      nodes.set(event.node, after);
      return after;
    },
  };
};

/** Tokens per second: as measured, or from the tokens of the last steps; null where unknown. */
const speed = ({ values, tokens }: NodeStatus): number | null => {
  if (values.tokens_per_second !== undefined) return values.tokens_per_second;
  const first = tokens[0];
  const last = tokens.at(-1);
  if (first === undefined || last === undefined || last.at <= first.at) return null;
  return tokens.slice(1).reduce((sum, t) => sum + t.tokens, 0) / ((last.at - first.at) / 1000);
};

/** Seconds that are left at the speed so far; null while nobody can know. */
const left = ({ progress, first }: NodeStatus, now: number): number | null => {
  if (!progress?.total || first === null || progress.done <= first.done || now - first.at < 2000) return null;
  return ((progress.total - progress.done) * ((now - first.at) / 1000)) / (progress.done - first.done);
};

/** Where a running node stands, in parts: "120/300 steps", "loss 3.214", "4,512 tok/s", "12 s left". */
export const progressParts = (node: NodeStatus, now: number): string[] => {
  const { progress, values } = node;
  const parts: string[] = [];
  if (progress !== null) {
    const { done, total, unit, note } = progress;
    parts.push(`${decimal(done)}${total === null ? '' : `/${decimal(total)}`} ${unit}`);
    if (note !== '') parts.push(note);
  }
  if (values.loss !== undefined && !progress?.note.includes('loss')) parts.push(`loss ${decimal(values.loss)}`);
  const rate = speed(node);
  if (rate !== null) parts.push(`${thousands(Math.round(rate))} tok/s`);
  const seconds = left(node, now);
  if (seconds !== null && seconds > 0) parts.push(`${remaining(seconds)} left`);
  return parts;
};

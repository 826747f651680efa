/** A build whose answer is not known: opens the project, brings its nodes up to date, and keeps the answer if there was nothing to do. */
import { distrust, isDamage, isDistrusted } from '../../cache/salvage.ts';
import { sweep } from '../../cache/sweep.ts';
import { type Call, type ExitCode, type Flags, usage } from '../command.ts';
import { type Engine, namedNodes, openEngine, selectNodes } from '../engine/engine.ts';
import { readLockFile } from '../engine/lock/lock-file.ts';
import type { BuildLock } from '../engine/lock/stamp.ts';
import { Pool } from '../engine/pool.ts';
import { lookAhead, runBuild } from '../engine/run-build.ts';
import { secretValues } from '../engine/secrets.ts';
import { standing } from '../engine/still/keep.ts';
import type { Question } from '../engine/still/question.ts';
import type { Trace } from '../engine/trace/trace.ts';
import type { BuildEvent } from '../events.ts';
import { FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { redactor } from '../views/redact.ts';
import { openView } from '../views/view.ts';
import { agreement, askAfter } from './agree.ts';
import { onInterrupt } from './interrupt.ts';
import { refreshedNodes } from './refresh.ts';

export interface Begun {
  readonly jobs: number;
  /** On the clock of `performance.now`. */
  readonly begun: number;
  readonly question: Question;
}

/** A build that comes upon damage in the store's index does what can be done without, and is then done once more. */
export const buildNodes = async (call: Call, begun: Begun): Promise<ExitCode> => {
  const first = await buildOnce(call, begun, false);
  return first === 'damaged' ? ((await buildOnce(call, begun, true)) as ExitCode) : first;
};

const buildOnce = async (
  call: Call,
  { jobs, begun, question }: Begun,
  last: boolean,
): Promise<ExitCode | 'damaged'> => {
  const { flags, env } = call;
  let keep: (() => void) | null = null;
  const engine = await openEngine({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  try {
    const nodes = selectNodes(engine.graph, call.names);
    const force = new Set(namedNodes(engine.graph, flags.force).map(n => n.name));
    const outside = [...force].filter(name => !nodes.some(n => n.name === name));
    if (outside.length > 0) throw usage(`--force ${outside.join(', ')}: not among the nodes that this build is for`);
    const refresh = refreshedNodes(engine.graph, nodes, flags.refresh);
    sweep(engine.store.folder);
    const looks = lookAhead(engine, nodes);
    const lock = await openLock(engine, nodes, { force, refresh }, flags);
    if (nodes.some(n => n.resources)) {
      const { throwIfNotEnough } = await import('../engine/enough.ts');
      await throwIfNotEnough(engine, nodes, { jobs, env });
    }

    const trace = flags.trace ? await traceOf(engine) : null;
    const limit = askAfter(flags['ask-after'], env);
    const secrets = nodes.flatMap(n => secretValues(n, env));
    const mode = flags.json ? 'json' : flags.plain ? 'plain' : 'auto';
    const view = openView({ mode, stdout: process.stdout, stderr: process.stderr, env, redact: redactor(secrets) });
    const stop = new AbortController();
    const pool = new Pool(jobs);
    onInterrupt(() => {
      stop.abort(new Error('interrupted'));
      void pool.terminate();
    });
    let refused = false;
    const events: BuildEvent[] = [];
    try {
      const summary = await runBuild({
        engine,
        lock,
        looks,
        agree: agreement({ yes: flags.yes, json: flags.json, limit, env, signal: stop.signal, pause: view.pause }),
        nodes,
        pool,
        jobs,
        env,
        keepGoing: flags['keep-going'],
        force,
        refresh,
        ...(trace ? { trace } : {}),
        signal: stop.signal,
        emit: event => {
          refused ||= event.type === 'failed' && event.failure.reason === 'not-agreed';
          if (KEPT.has(event.type)) events.push(event);
          const missed = event.type === 'summary' ? (trace?.missed(nodes) ?? []) : [];
          if (missed.length > 0) view.emit({ type: 'warn', node: null, message: untraced(missed) });
          view.emit(event);
        },
        begun,
      });
      keep = await standing(engine, question, nodes, events);
      if (!last && !summary.ok && !stop.signal.aborted && isDistrusted(engine.store.folder)) return 'damaged';
      return stop.signal.aborted ? 130 : summary.ok ? 0 : refused ? 2 : 1;
    } finally {
      await pool.terminate();
      await view.close();
    }
  } catch (error) {
    if (last || !isDamage(error)) throw error;
    distrust(engine.store.folder);
    return 'damaged';
  } finally {
    engine.close();
    keep?.();
  }
};

/** Throws FailureError when nothing can be traced here. */
const traceOf = async ({ graph, project }: Engine): Promise<Trace> => {
  const { openTrace } = await import('../engine/trace/trace.ts');
  return openTrace({ project: project.folder, folder: graph.folder });
};

const untraced = (names: readonly string[]): string =>
  `--trace looks at what runs; not run: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''} (--force ${names[0]} runs it again)`;

/** What an answer is made of. */
const KEPT: ReadonlySet<string> = new Set(['build', 'warn', 'done', 'summary']);

/** Reads the lock file, and with `--locked` throws what has drifted from it. */
const openLock = async (
  engine: Engine,
  nodes: readonly GraphNode[],
  { force, refresh }: { readonly force: ReadonlySet<string>; readonly refresh: ReadonlySet<string> },
  flags: Flags,
): Promise<BuildLock> => {
  const { locked, profile: profiles, set } = flags;
  if (locked && set.length > 0) throw usage('--locked and --set: what is set by hand is never in the lock file');
  const file = readLockFile(engine.graph.path);
  if (locked) {
    const { drift } = await import('../engine/lock/drift.ts');
    const { pinsResult } = await import('../engine/lock/pins.ts');
    const forced = nodes.find(n => force.has(n.name) && pinsResult(n));
    if (forced) throw usage(`--locked and --force ${forced.name}: its result is pinned`);
    for (const name of refresh) throw usage(`--locked and --refresh ${name}: its result is pinned`);
    const failures = await drift(engine, nodes, file, profiles);
    if (failures.length > 0) throw new FailureError(failures);
  }
  return { file, profiles, set, locked };
};

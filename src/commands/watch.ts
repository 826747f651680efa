/** `finetune watch`: builds on every save what is cheap, and nodes that are named; ends with Ctrl-C. */
import { resolve } from 'node:path';
import { sweep } from '../../cache/sweep.ts';
import { type Call, type ExitCode, wholeNumber } from '../command.ts';
import { defaultJobs } from '../engine/engine.ts';
import { findProject } from '../engine/project.ts';
import type { BuildEvent } from '../events.ts';
import { asItIs, redactEvent, redactor } from '../views/redact.ts';
import { openWatchView } from '../views/watch.ts';
import { openWatchJson } from '../views/watch-json.ts';
import { watch } from '../watch/watch.ts';
import { onInterrupt } from './interrupt.ts';

/** Seconds. */
const SLOW = 30;

/** 130 when something was at work and has been interrupted; 0 when all was at rest: that is how one ends it. */
export const run = async ({ flags, names, env }: Call): Promise<ExitCode> => {
  const jobs = wholeNumber('jobs', flags.jobs, defaultJobs());
  const slow = wholeNumber('slow', flags.slow, SLOW);
  const stop = new AbortController();
  onInterrupt(() => stop.abort(new Error('interrupted')));
  // Nobody reads it any more.
  process.stdout.on('error', () => stop.abort(new Error('interrupted')));
  sweep(findProject(resolve(flags.recipe), env).store);
  const clean = redacting();
  const streams = { stdout: process.stdout, stderr: process.stderr, env };
  const view = flags.json ? openWatchJson(streams) : openWatchView({ ...streams, plain: flags.plain });
  try {
    const interrupted = await watch({
      recipe: flags.recipe,
      profiles: flags.profile,
      set: flags.set,
      env,
      names,
      train: flags.train,
      slow,
      jobs,
      signal: stop.signal,
      tell: (event, build, secrets) => view.tell(event.type === 'watch' ? event : clean(event, secrets), build),
    });
    return interrupted ? 130 : 0;
  } finally {
    await view.close();
  }
};

/** One redactor for all events of a build. */
const redacting = (): ((event: BuildEvent, secrets: readonly string[]) => BuildEvent) => {
  let of: readonly string[] = [];
  let redact = asItIs;
  return (event, secrets) => {
    if (secrets !== of) redact = redactor(secrets);
    of = secrets;
    return redact === asItIs ? event : redactEvent(event, redact);
  };
};

/** `finetune build`: brings nodes up to date, with live progress, and ends in a table and the results. */
import { availableParallelism } from 'node:os';
import { type Call, type ExitCode, wholeNumber } from '../command.ts';
import { answerTo, tell } from '../engine/still/answer.ts';
import { questionOf } from '../engine/still/question.ts';
import { redactor } from '../views/redact.ts';
import { openView } from '../views/view.ts';

/** What only says how a build is shown or run. */
const SHOWN = ['jobs', 'keep-going', 'yes', 'json', 'plain'] as const;

export const run = async (call: Call): Promise<ExitCode> => {
  const { flags, env } = call;
  if (flags['dry-run']) return (await import('./plan.ts')).run(call);
  const begun = performance.now();
  const jobs = wholeNumber('jobs', flags.jobs, availableParallelism());
  const asked = Object.fromEntries(Object.entries(flags).filter(([name]) => !SHOWN.some(s => s === name)));
  const question = questionOf({ recipe: flags.recipe, flags: { ...asked, names: call.names }, env });
  const answer = flags.force.length + flags.refresh.length === 0 ? answerTo(question) : null;
  // All else is loaded only by a build that has something to find out.
  if (!answer) return (await import('./build-nodes.ts')).buildNodes(call, { jobs, begun, question });
  const mode = flags.json ? 'json' : flags.plain ? 'plain' : 'auto';
  const redact = redactor(answer.secrets.flatMap(name => env[name] || []));
  const view = openView({ mode, stdout: process.stdout, stderr: process.stderr, env, redact });
  tell(answer, jobs, begun, view.emit);
  await view.close();
  return 0;
};

/** The command line: finds the command, reads its flags, and turns how it ended into an exit code. */
import { Console } from 'node:console';
import { parseArgs } from 'node:util';
import { type Command, type ExitCode, type Flags, usage } from './command.ts';
import * as build from './commands/build.ts';
import { type Failure, FailureError, systemFailure } from './failure.ts';
import { didYouMean, nearest } from './load/suggest.ts';

type Flag = keyof Flags;

interface Entry {
  readonly usage: string;
  readonly about: string;
  readonly flags: readonly Flag[];
  readonly names: readonly [least: number, most: number];
  load(): Promise<Command>;
}

const RECIPE: readonly Flag[] = ['recipe', 'profile', 'set', 'json'];

const COMMANDS: Readonly<Record<string, Entry>> = {
  build: {
    usage: 'build [node…]',
    about: 'bring nodes up to date (all, when none is named)',
    flags: [
      ...RECIPE,
      'locked',
      'yes',
      'ask-after',
      'keep-going',
      'force',
      'refresh',
      'trace',
      'jobs',
      'dry-run',
      'plain',
    ],
    names: [0, Infinity],
    // Every other one waits until it is called: to find nothing to do is to take little longer than Node's own start.
    load: async () => build,
  },
  watch: {
    usage: 'watch [node…]',
    about: 'build on every save what is cheap, and nodes that are named',
    flags: [...RECIPE, 'train', 'slow', 'jobs', 'plain'],
    names: [0, Infinity],
    load: () => import('./commands/watch.ts'),
  },
  plan: {
    usage: 'plan [node…]',
    about: 'say what a build would do, why, and what it would cost',
    flags: [...RECIPE, 'refresh', 'ask-after'],
    names: [0, Infinity],
    load: () => import('./commands/plan.ts'),
  },
  explain: {
    usage: 'explain node',
    about: 'say why a node was built or would be, up to the first cause',
    flags: RECIPE,
    names: [1, 1],
    load: () => import('./commands/explain.ts'),
  },
  diff: {
    usage: 'diff [A [B [node…]]]',
    about: 'compare builds (last, previous, 7) or git revisions: recipe, rows, metrics',
    flags: [...RECIPE, 'rows'],
    names: [0, Infinity],
    load: () => import('./commands/diff.ts'),
  },
  lock: {
    usage: 'lock [node…]',
    about: 'bring the lock file up to date without building',
    flags: ['recipe', 'profile', 'json'],
    names: [0, Infinity],
    load: () => import('./commands/lock.ts'),
  },
  show: {
    usage: 'show node[.output]',
    about: 'print rows, metrics or files of a result',
    flags: [...RECIPE, 'rows'],
    names: [1, 1],
    load: () => import('./commands/show.ts'),
  },
  trace: {
    usage: 'trace node row',
    about: 'follow a row back to its page, and forward to where it went',
    flags: [...RECIPE, 'rows'],
    names: [2, 2],
    load: () => import('./commands/trace.ts'),
  },
  graph: {
    usage: 'graph',
    about: 'draw the graph',
    flags: [...RECIPE, 'format'],
    names: [0, 0],
    load: () => import('./commands/graph.ts'),
  },
  cache: {
    usage: 'cache action [name…]',
    about: 'look after the store: size, ls, gc, verify, tag, untag, publish',
    flags: ['recipe', 'size', 'paid', 'dry-run', 'json'],
    names: [1, Infinity],
    load: () => import('./commands/cache.ts'),
  },
  init: {
    usage: 'init [folder]',
    about: 'start a recipe that runs',
    flags: ['json'],
    names: [0, 1],
    load: () => import('./commands/init.ts'),
  },
};

const FLAGS: Readonly<
  Record<Flag, { type: 'string' | 'boolean'; multiple?: boolean; short?: string; value?: string; about: string }>
> = {
  recipe: { type: 'string', short: 'r', value: 'file', about: 'the recipe (finetune.yaml)' },
  profile: {
    type: 'string',
    short: 'p',
    multiple: true,
    value: 'name',
    about: 'apply a profile of the recipe; again for more',
  },
  set: {
    type: 'string',
    short: 's',
    multiple: true,
    value: 'path=value',
    about: 'replace a value of the recipe; again for more',
  },
  'keep-going': { type: 'boolean', short: 'k', about: 'after a failure, go on with what does not depend on it' },
  force: { type: 'string', multiple: true, value: 'node', about: 'run a node again even though it is cached' },
  refresh: { type: 'string', multiple: true, value: 'node', about: 'ask again for what a source got from elsewhere' },
  trace: { type: 'boolean', about: 'refuse results of files that their node does not declare (needs strace)' },
  jobs: { type: 'string', short: 'j', value: 'n', about: 'nodes and chunks at once (the number of cores)' },
  train: { type: 'boolean', about: 'also trainings, and whatever else takes long' },
  slow: { type: 'string', value: 'seconds', about: 'a node whose last run took longer is not cheap (30)' },
  locked: { type: 'boolean', about: 'fail where the lock file would change; train nothing again' },
  yes: { type: 'boolean', short: 'y', about: 'repeat long trainings without asking' },
  'ask-after': { type: 'string', value: 'time', about: 'ask before a training as long as this is repeated (10m)' },
  'dry-run': { type: 'boolean', short: 'n', about: 'only say what would be done' },
  size: { type: 'string', value: 'size', about: 'what the store may take: 10GB (FINETUNE_STORE_SIZE, else 50GB)' },
  paid: { type: 'boolean', about: 'collect trainings and paid answers too' },
  rows: { type: 'string', value: 'n', about: 'how many rows to print (10; diff: 3, trace: 5)' },
  format: { type: 'string', value: 'name', about: 'text, mermaid or dot (text)' },
  json: { type: 'boolean', about: 'JSON on stdout, one value a line, and nothing else' },
  plain: { type: 'boolean', about: 'plain lines even on a terminal' },
};

/** Runs a command line; never throws for what can be expected to go wrong. */
export const main = async (argv: readonly string[]): Promise<ExitCode> => {
  const json = argv.includes('--json');
  // Stdout is for answers: what a user's stage prints while it is imported goes to the other stream.
  globalThis.console = new Console(process.stderr, process.stderr);
  // A reader that has seen enough (`| head`) ends the output, not the command.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  try {
    return await dispatch(argv);
  } catch (error) {
    const failures = error instanceof FailureError ? error.failures : known(error);
    if (!failures) throw error;
    await report(failures, json, argv[0] === 'build' || argv[0] === 'watch');
    return 2;
  }
};

const known = (error: unknown): readonly Failure[] | null => {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'BLOB_CORRUPT') {
    const advice = 'finetune cache verify sets aside what is damaged, and finetune build makes it again';
    return [{ reason: 'store-corrupt', message, advice }];
  }
  const failure = systemFailure(error, 'working');
  return failure && [failure];
};

/** Mistakes of recipe and usage: to stderr for people; as the events that every build's stream has for programs. */
const report = async (failures: readonly Failure[], json: boolean, isBuild: boolean): Promise<void> => {
  if (json) {
    process.stdout.write(`${JSON.stringify({ type: 'mistakes', failures })}\n`);
    if (isBuild) process.stdout.write(`${JSON.stringify({ type: 'summary', ok: false, seconds: 0, nodes: [] })}\n`);
    return;
  }
  const { renderFailures } = await import('./views/failures.ts');
  process.stderr.write(`${renderFailures(failures)}\n`);
};

const dispatch = async (argv: readonly string[]): Promise<ExitCode> => {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(help());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    const { packageVersion } = await import('./version.ts');
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!entry)
    throw usage(`"${name}" is not a command${didYouMean(name, Object.keys(COMMANDS))}`, 'finetune --help lists them');
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(commandHelp(entry));
    return 0;
  }
  const call = { ...parse(name, entry, rest), env: process.env };
  const [least, most] = entry.names;
  if (call.names.length < least || call.names.length > most) throw usage(`it is called so: finetune ${entry.usage}`);
  return await (await entry.load()).run(call);
};

const parse = (name: string, entry: Entry, argv: readonly string[]): { names: string[]; flags: Flags } => {
  const options = Object.fromEntries(
    entry.flags.map(f => {
      const { type, multiple = false, short } = FLAGS[f];
      return [f, { type, multiple, ...(short ? { short } : {}) }];
    }),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    return { names: positionals, flags: { ...NONE, ...values } as Flags };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error;
    const flag = /'-{1,2}([\w-]+)/.exec(message)?.[1] ?? '';
    const near = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? nearest(flag, entry.flags) : null;
    const text =
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
        ? `${name} has no flag ${flag.length > 1 ? '--' : '-'}${flag}${near ? `; did you mean --${near}?` : ''}`
        : message.split('\n')[0]!;
    throw usage(text, `finetune ${name} --help lists its flags`);
  }
};

const NONE: Flags = {
  recipe: 'finetune.yaml',
  profile: [],
  set: [],
  force: [],
  refresh: [],
  'keep-going': false,
  trace: false,
  jobs: undefined,
  train: false,
  slow: undefined,
  rows: undefined,
  format: undefined,
  'dry-run': false,
  locked: false,
  yes: false,
  'ask-after': undefined,
  size: undefined,
  paid: false,
  json: false,
  plain: false,
};

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([a]) => a.length)) + 2;
  return rows.map(([a, b]) => `  ${a.padEnd(width)}${b}\n`).join('');
};

const help = (): string =>
  `finetune: make for models\n\nusage: finetune <command> [flags]\n\n${columns(Object.values(COMMANDS).map(c => [c.usage, c.about]))}\nfinetune <command> --help says more.\n`;

const commandHelp = (entry: Entry): string =>
  `usage: finetune ${entry.usage} [flags]\n  ${entry.about}\n\n${columns(
    entry.flags.map(f => {
      const { short, value, about } = FLAGS[f];
      return [`${short ? `-${short}, ` : '    '}--${f}${value ? ` <${value}>` : ''}`, about];
    }),
  )}`;

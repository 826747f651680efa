/** Stage `command`: runs any program in a folder of its own, with a clean environment, and takes what it writes to `$OUT`. */
import { constants } from 'node:os';
import { join } from 'node:path';
import type { CommandOptions } from '../../schemas/types.ts';
import { StageError, type WholeContext, type WholeStage } from '../contract.ts';
import { cleanEnvironment, placeFiles } from '../surroundings.ts';
import { takeDesk } from './desk.ts';
import { placeInputs } from './inputs.ts';
import { takeResult } from './result.ts';
import { runInShell } from './shell.ts';

type Context = WholeContext<CommandOptions>;

const run = async (context: Context): Promise<void> => {
  const { options, signal, scratch } = context;
  const files = context.files.files ?? [];
  if (options.files !== undefined && files.length === 0) {
    throw new StageError('empty-source', `no file matches ${[options.files].flat().join(', ')}`, {
      advice: 'globs are relative to the folder of the recipe; `**` crosses folders',
    });
  }
  const desk = await takeDesk(scratch, signal);
  try {
    const folder = placeFiles(desk.files, files, desk);
    const given = await placeInputs(desk, context.inputs, options.ids);
    const out = options.output === 'files' ? desk.out : join(desk.out, 'result');
    const words = spoken(context);
    const status = await runInShell({
      argv: [...(context.tracer ?? []), ...argv(options.run)],
      folder,
      env: { ...cleanEnvironment(desk.home, options.env), ...gpusOf(context), ...given, OUT: out },
      signal,
      ...(desk.held === null ? {} : { held: desk.held }),
      onText: words.hear,
    });
    if (signal.aborted) throw new StageError('interrupted', 'stopped');
    if (status !== 0) throw failed(status, words.last());
    await takeResult(context, out, desk.root);
  } finally {
    desk.clear();
  }
};

const gpusOf = ({ gpus }: Context): Record<string, string> => (gpus ? { CUDA_VISIBLE_DEVICES: gpus.join(',') } : {});

/** Of several lines the first that fails ends the command, as everywhere but in a shell. */
const argv = (run: CommandOptions['run']): readonly string[] => {
  if (typeof run !== 'string') return run;
  return run.trim().includes('\n') ? ['/bin/sh', '-e', '-c', run] : ['/bin/sh', '-c', run];
};

const WORDS = 8;

/** Passes on to the log what the command says, and keeps the last of it for the message. */
const spoken = ({ options, log }: Context) => {
  const last = { stdout: [] as string[], stderr: [] as string[] };
  let begun = false;
  const begin = () => {
    if (!begun) log(`$ ${typeof options.run === 'string' ? options.run.trim() : options.run.join(' ')}`);
    begun = true;
  };
  return {
    hear: (text: string, stream: 'stdout' | 'stderr'): void => {
      begin();
      log(text);
      const lines = text.slice(-4096).split('\n');
      last[stream] = [...last[stream], ...lines].slice(-WORDS);
    },
    last: (): readonly string[] => {
      begin();
      const said = [last.stderr, last.stdout].find(lines => lines.some(l => l.trim() !== '')) ?? [];
      return said.filter(l => l.trim() !== '');
    },
  };
};

const failed = (status: number | null, words: readonly string[]): StageError => {
  const signal = Object.entries(constants.signals).find(([, n]) => status !== null && n === status - 128)?.[0];
  const how =
    status === null
      ? 'was ended together with the shell that ran it'
      : signal
        ? `was ended by ${signal}`
        : `ended with code ${status}`;
  return new StageError('command-failed', `the command ${how}${words.map(w => `\n  ${short(w)}`).join('')}`, {
    ...advice(status, words.join('\n')),
  });
};

const advice = (status: number | null, words: string): { advice?: string } => {
  if (status === 127)
    return { advice: 'it found no such program: PATH is the only thing that it has of your environment' };
  if (/no such file|cannot open|ENOENT|FileNotFound|not found/i.test(words))
    return {
      advice: 'it runs in a fresh folder: files that it reads stand under `files`, results of other nodes under `from`',
    };
  if (/is a directory/i.test(words)) return { advice: '$OUT is a folder for files: … > $OUT/name' };
  if (status === 137) return { advice: 'the system may be short of memory' };
  return {};
};

const short = (line: string): string => (line.length > 300 ? `${line.slice(0, 297)}...` : line);

export default { kind: 'whole', runs: 'main', run } satisfies WholeStage<CommandOptions>;

/** What a user's stage says of itself, found out in a process of its own: its code can do nothing to us, not even while it loads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { cleanEnvironment } from '../../stages/surroundings.ts';
import { killIsolated, startIsolated } from '../isolated.ts';
import type { UserStageSays } from '../stages.ts';

export type Described =
  | { readonly says: UserStageSays; readonly options?: unknown }
  /** Why it cannot be used. */
  | { readonly mistake: string };

/** Longer than any import takes. */
const PATIENCE_MS = 30_000;

const known = new Map<string, Promise<Described>>();

/** Asked once for each state of the code, however many nodes use it. `name` is what the recipe calls it. */
export const describeStage = (module: string, name: string): Promise<Described> => {
  let described = known.get(module);
  if (!described) known.set(module, (described = ask(module, name)));
  return described;
};

const ask = (module: string, name: string): Promise<Described> => {
  const folder = mkdtempSync(join(tmpdir(), 'finetune-stage-'));
  const child = startIsolated({
    entry: new URL(`./describe-stage${extname(new URL(import.meta.url).pathname)}`, import.meta.url),
    args: [module, name],
    folder,
    env: cleanEnvironment(folder, {}),
  });
  return new Promise(resolve => {
    let thrown = '';
    let answer: Described | null = null;
    const timer = setTimeout(() => {
      answer = { mistake: `it was still being imported after ${PATIENCE_MS / 1000} s` };
      killIsolated(child);
    }, PATIENCE_MS);
    const end = (otherwise: string) => {
      clearTimeout(timer);
      rmSync(folder, { recursive: true, force: true });
      resolve(answer ?? { mistake: otherwise });
    };
    child.stdout!.resume();
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      thrown = /^(?:Uncaught )?\w*Error\b.*$/m.exec(text)?.[0] ?? thrown;
    });
    child.on('message', message => {
      answer ??= message as Described;
    });
    child.on('error', error => end(error.message));
    child.on('close', (code, signal) =>
      end(
        `${signal ? `${signal} ended it` : `it exits (code ${code})`} while it is imported${thrown && `: ${thrown}`}`,
      ),
    );
  });
};

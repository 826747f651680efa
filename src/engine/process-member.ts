/** A member of the pool that is a process of its own: for the user's stages, which can then exit, crash or move elsewhere. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { cleanEnvironment, placeFiles } from '../../stages/surroundings.ts';
import { killIsolated, startIsolated } from '../isolated.ts';
import type { Hears, Member } from './member.ts';
import type { FromWorker, NodeJob } from './protocol.ts';

/**
 * It works for this node only: its folder is fresh and holds the files that the node declares at their recipe-relative paths,
 * its environment is what the node's option `env` says.
 */
export const startProcess = (job: NodeJob, hears: Hears): Member => {
  mkdirSync(job.work, { recursive: true });
  const root = mkdtempSync(join(job.work, 'process-'));
  const home = join(root, 'home');
  mkdirSync(home);
  const { env = {} } = job.options as { readonly env?: Readonly<Record<string, unknown>> };
  const child = startIsolated({
    entry: new URL(`./worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url),
    folder: placeFiles(join(root, 'files'), Object.values(job.files).flat()),
    env: { ...cleanEnvironment(home, env), ...(job.gpus ? { CUDA_VISIBLE_DEVICES: job.gpus.join(',') } : {}) },
    prefix: job.tracer,
  });
  let thrown = '';
  const gone = new Promise<void>(resolve => {
    const end = (why: string) => {
      rmSync(root, { recursive: true, force: true });
      resolve();
      hears.lost(`its process ${why}${thrown}`);
    };
    child.on('error', error => end(`could not be started: ${error.message}`));
    child.on('close', (code, signal) => end(signal ? `was ended by ${signal}` : `ended (code ${code})`));
  });
  child.on('message', message => hears.message(message as FromWorker));
  // What comes past its own console: from a program that it has started, or from Node when it crashes.
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line => {
      if (/^(Uncaught )?\w*Error\b/.test(line)) thrown = `: ${line}`;
      hears.message({ type: 'log', id: job.id, line });
    });
  }
  const held = () => [child, child.channel, ...(child.stdio as (Socket | null)[])];
  return {
    // One that has died says so by its end.
    post: message => void child.send(message, () => {}),
    ref: () => {
      for (const h of held()) h?.ref();
    },
    unref: () => {
      for (const h of held()) h?.unref();
    },
    terminate: () => {
      killIsolated(child);
      return gone;
    },
  };
};

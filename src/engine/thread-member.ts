/** A member of the pool that is a worker thread: for all but the user's stages. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Hears, Member } from './member.ts';

export const startThread = (hears: Hears): Member => {
  const worker = new Worker(new URL(`./worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url));
  worker.on('message', hears.message);
  worker.on('error', error => hears.lost((error as Error).message));
  worker.on('exit', code => hears.lost(`the worker thread ended (code ${code})`));
  return {
    post: message => worker.postMessage(message),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    terminate: () => worker.terminate(),
  };
};

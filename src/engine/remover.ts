/** Removes folders in a thread of its own: of a build of many small nodes it would be a third of the main thread's time. */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Worker } from 'node:worker_threads';

const REMOVE = `
const { rmSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
parentPort.on('message', folders => {
  for (const folder of folders) {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {}
  }
  parentPort.postMessage(folders.length);
});
`;

let thread: Worker | null = null;
let removed = 0;
let pending = 0;
let waiting: string[] = [];

/** To wake the thread for each folder would take longer than to move it away. */
const BATCH_MS = 20;

/** It is out of the way at once. `scratch` is the folder whose contents the next build sweeps when our process has gone. */
export const removeSoon = (folder: string, scratch: string): void => {
  const away = join(scratch, `${basename(folder).slice(0, 16)}-${removed++}-${process.pid}`);
  if (!existsSync(folder)) return;
  mkdirSync(scratch, { recursive: true });
  renameSync(folder, away);
  if (!thread) {
    thread = new Worker(REMOVE, { eval: true });
    thread.on('error', () => {});
    // Our process ends when all is gone; if it is killed, the next build sweeps.
    thread.on('message', (done: number) => {
      pending -= done;
      if (pending === 0) thread?.unref();
    });
  }
  if (pending++ === 0) thread.ref();
  if (waiting.push(away) > 1) return;
  setTimeout(() => {
    thread?.postMessage(waiting);
    waiting = [];
  }, BATCH_MS);
};

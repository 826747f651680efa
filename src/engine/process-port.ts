/** The port to the main thread of a worker that is a process: what `parentPort` is to a thread. */
import type { FromWorker, ToWorker } from './protocol.ts';

export const processPort = () => {
  const send = process.send!.bind(process);
  // The channel is ours: the user's code neither talks into it nor closes it, and finds nothing of it in the environment.
  for (const name of ['send', 'disconnect'] as const) Object.defineProperty(process, name, { value: undefined });
  delete process.env.NODE_COMPILE_CACHE;
  process.on('disconnect', () => process.exit());
  return {
    /** What a thread hands over is copied here. */
    postMessage: (message: FromWorker, _transfer: readonly ArrayBuffer[]): void => void send(message),
    on: (_event: 'message', take: (message: ToWorker) => void): void => {
      process.on('message', message => take(message as ToWorker));
    },
  };
};

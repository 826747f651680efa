/** Keeps garbage collection from what a build has looked up, from the moment at which it begins to make something. */
import type { Store } from '../../cache/store.ts';
import type { Emit } from '../events.ts';

/** Passes events on. A build that makes nothing takes no lease. */
export const holding = (store: Store, emit: Emit): Emit => {
  let isMaking = false;
  let keys: string[] = [];
  return event => {
    if (event.type === 'start') isMaking = true;
    else if (event.type === 'done') keys.push(event.key);
    if (isMaking && keys.length > 0) {
      try {
        store.lease().hold('key', keys);
        keys = [];
      } catch {
        // A full disk, which what is being made will fail of with a message: an event has none to give.
      }
    }
    emit(event);
  };
};

/** Reads every blob of a store and checks it against its name; what is wrong is set aside and taken out of the index. */
import { BlobReader } from './blob.ts';
import type { Store } from './store.ts';

export interface Verified {
  readonly blobs: number;
  /** Of their contents. */
  readonly bytes: number;
  readonly wrong: readonly { readonly digest: string; readonly why: string }[];
}

/** All blobs, or those named. */
export const verify = (store: Store, digests: Iterable<string> = store.all()): Verified => {
  const reader = new BlobReader();
  let blobs = 0;
  let bytes = 0;
  const bad: string[] = [];
  try {
    for (const digest of digests) {
      blobs++;
      const at = store.locate(digest);
      if (at && reader.fault(at) === null) bytes += at.size;
      else bad.push(digest);
    }
  } finally {
    reader.close();
  }
  // What has only been moved while this went on is sound after all.
  const wrong = bad.flatMap(digest => {
    const why = store.forget(digest);
    return why === null ? [] : [{ digest, why }];
  });
  return { blobs, bytes, wrong };
};

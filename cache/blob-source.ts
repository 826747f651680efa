/**
 * Blobs of others, read-only: a folder or a server that has them as `blobs/<digest>`, each the plain content. What comes is
 * checked against its name. A blob that cannot be had is only a miss; a source that fails is told once and left alone.
 */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { disk } from './disk.ts';
import { makeFolder, tempFor } from './durable.ts';
import type { Store } from './store.ts';

export interface BlobSource {
  /** As it may be shown: without what is secret in it. */
  readonly shown: string;
  /** Brings blobs into the store, as many as can be had; durable then. */
  bring(digests: readonly string[]): Promise<void>;
}

const AT_ONCE = 16;

/** `url` is file:, http: or https:. */
export const openBlobSource = (url: URL, store: Store, onWarning: (message: string) => void): BlobSource => {
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  let isDown = false;
  const bring = async (digest: string): Promise<void> => {
    if (isDown) return;
    const temp = tempFor(join(store.folder, 'blobs', 'new'));
    try {
      const content = await open(url, digest);
      if (!content) return;
      makeFolder(join(store.folder, 'blobs'));
      await pipeline(content, createWriteStream(temp, { flags: 'wx' }));
      const got = store.putFile(temp, { move: true });
      if (got.digest !== digest) onWarning(`${shown} has something else under the name of blob ${digest.slice(0, 12)}`);
    } catch (error) {
      if (!isDown) onWarning(`${shown} gives no blobs: ${reasonOf(error)}; what is missing here is made again`);
      isDown = true;
    } finally {
      disk.remove(temp);
    }
  };
  return {
    shown,
    bring: async digests => {
      const queue = [...digests];
      const lane = async (): Promise<void> => {
        for (let next = queue.pop(); next !== undefined; next = queue.pop()) await bring(next);
      };
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, queue.length) }, lane));
      store.flush();
    },
  };
};

/** Null where there is no such blob. */
const open = async (url: URL, digest: string): Promise<Readable | null> => {
  if (url.protocol === 'file:') {
    const path = join(fileURLToPath(url), 'blobs', digest);
    return existsSync(path) ? createReadStream(path) : null;
  }
  const at = new URL(url);
  at.pathname = `${url.pathname.replace(/\/$/, '')}/blobs/${digest}`;
  // Nobody may see them, and fetch takes no URL with them.
  const { username, password } = at;
  at.username = at.password = '';
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const response = await fetch(at, username === '' ? {} : { headers: { authorization: `Basic ${basic}` } });
  if (response.status === 404 || response.status === 410) return null;
  if (!response.ok || !response.body) throw new Error(`it answers ${response.status}`);
  return Readable.fromWeb(response.body);
};

/** fetch hides why it failed one level down. */
const reasonOf = (error: unknown): string => {
  const { cause, message, code } = error as {
    cause?: { code?: string; message?: string };
    message: string;
    code?: string;
  };
  return cause?.code ?? cause?.message ?? code ?? message;
};

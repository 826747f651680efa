/** The cache of Hugging Face's own tools: what they have brought to this machine need not come again. */
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RemoteFile } from './repository.ts';

/** As `huggingface_hub` finds it. */
const folder = ({ HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME }: NodeJS.ProcessEnv): string =>
  HF_HUB_CACHE ?? join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface'), 'hub');

/** Path of a file's content there; null where it is not, or not whole. Blobs are called by what the server calls them. */
export const huggingFaceBlob = (
  kind: 'dataset' | 'model',
  repository: string,
  { digest, size }: RemoteFile,
  env: NodeJS.ProcessEnv = process.env,
): string | null => {
  const path = join(folder(env), `${kind}s--${repository.replaceAll('/', '--')}`, 'blobs', digest);
  return statSync(path, { throwIfNoEntry: false })?.size === size ? path : null;
};

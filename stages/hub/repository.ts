/** A repository of a Hub: its commits and files. The only module that imports `@huggingface/hub`. */
import type { ListFileEntry } from '@huggingface/hub';
import { StageError } from '../contract.ts';
import { Asking } from './asking.ts';
import { unreachable } from './trouble.ts';

export interface RepositoryOptions {
  readonly kind: 'dataset' | 'model';
  /** `owner/name`. */
  readonly name: string;
  readonly token: string | undefined;
  readonly endpoint: string;
  readonly signal: AbortSignal;
  /** Hears why it takes longer. */
  readonly log: (line: string) => void;
}

/** A file of a commit. */
export interface RemoteFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content where it is stored apart from git (LFS, Xet), else git's own SHA-1. */
  readonly digest: string;
}

export const COMMIT = /^[0-9a-f]{40}$/;
const DIGEST = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export class Repository {
  readonly name: string;
  readonly #options: RepositoryOptions;
  readonly #asking: Asking;

  constructor(options: RepositoryOptions) {
    const { token, endpoint, name } = options;
    if (token !== undefined && !token.startsWith('hf_')) {
      throw new StageError('hub-token', 'the token is none of the Hub: those begin with hf_', {
        advice: `Make one at ${endpoint}/settings/tokens, and put it into the environment variable that \`token\` names.`,
      });
    }
    this.name = name;
    this.#options = { ...options, endpoint: endpoint.replace(/\/+$/, '') };
    this.#asking = new Asking({ ...this.#options, page: this.page });
  }

  /** Where people look at it. */
  get page(): string {
    const { kind, endpoint } = this.#options;
    return `${endpoint.replace(/\/+$/, '')}/${kind === 'dataset' ? 'datasets/' : ''}${this.name}`;
  }

  /** The commit that a branch or tag is at; of a commit, itself, unasked. */
  async commitOf(revision: string): Promise<string> {
    if (COMMIT.test(revision)) return revision;
    const { datasetInfo, modelInfo } = await import('@huggingface/hub');
    const ask = { ...this.#common(), name: this.name, revision, additionalFields: ['sha' as const] };
    const { sha } = await this.#sound(() => (this.#options.kind === 'dataset' ? datasetInfo(ask) : modelInfo(ask)));
    if (typeof sha === 'string' && COMMIT.test(sha)) return sha;
    throw new StageError('hub-answer', `${this.page} does not say which commit ${revision} is at`);
  }

  /** Every file of a commit, by its path. */
  async files(commit: string): Promise<RemoteFile[]> {
    const { listFiles } = await import('@huggingface/hub');
    const repo = { type: this.#options.kind, name: this.name };
    const ask = { ...this.#common(), repo, revision: commit, recursive: true };
    const files: RemoteFile[] = [];
    await this.#sound(async () => {
      for await (const entry of listFiles(ask)) if (entry.type === 'file') files.push(this.#file(entry));
    });
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  #file({ path, size, lfs, oid }: ListFileEntry): RemoteFile {
    const digest = lfs?.oid ?? oid;
    if (isPlain(path) && digest !== undefined && DIGEST.test(digest)) return { path, size: lfs?.size ?? size, digest };
    throw new StageError('hub-answer', `the list of files of ${this.page} makes no sense: ${JSON.stringify(path)}`);
  }

  /** The content of a file from byte `from` on; `from` is 0 where the server gives all of it all the same. */
  content(
    commit: string,
    path: string,
    from: number,
    signal: AbortSignal,
  ): Promise<{ from: number; body: AsyncIterable<Uint8Array> }> {
    const { token } = this.#options;
    const url = `${this.page}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(from > 0 ? { range: `bytes=${from}-` } : {}),
    };
    return this.#asking.content(url, headers, signal);
  }

  /** What to tell when connections end again and again. */
  lost(error: unknown): StageError {
    return unreachable(error, { ...this.#options, page: this.page });
  }

  /** An answer that is no JSON comes from somebody else: a proxy, a login page. */
  async #sound<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
      throw new StageError('hub-answer', `what ${this.#options.endpoint} answers makes no sense`, {
        advice: 'Is it a Hub? A proxy or a login page may stand in between.',
      });
    }
  }

  #common() {
    const { token, endpoint } = this.#options;
    return {
      hubUrl: endpoint,
      fetch: this.#asking.fetch,
      ...(token === undefined ? {} : { accessToken: token }),
    };
  }
}

/** Names end up in paths of this machine. */
const isPlain = (path: string): boolean =>
  path !== '' && !path.includes('\0') && !path.includes('\\') && path.split('/').every(p => !/^\.{0,2}$/.test(p));

/**
 * A server that behaves as the Hugging Face Hub does at the addresses that we ask: a repository's revision, the list of its
 * files in pages, their content by redirect to another server, gates, and limits. What it is asked is noted; what it
 * answers can be put in its way once.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

type Content = string | Uint8Array;
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface Repo {
  readonly kind: 'datasets' | 'models';
  /** `owner/name`. */
  readonly name: string;
  /** Files by commit. */
  readonly commits: Readonly<Record<string, Readonly<Record<string, Content>>>>;
  /** Commits by branch or tag. */
  readonly refs: Record<string, string>;
  /** Tokens that may read it; everybody without it. */
  readonly tokens?: readonly string[];
  /** Who is not let in is told that there is such a repository. */
  readonly gated?: boolean;
}

export interface HubServer {
  readonly endpoint: string;
  /** `GET /path?query`, of the Hub and (with `cdn `) of the server that holds what is large. */
  readonly asked: string[];
  /** Bytes of content that have been sent. */
  sent(): number;
  /** Authorizations that the other server was sent: none should be. */
  readonly leaked: readonly string[];
  /** The next requests whose path matches are answered by these, in turn. */
  once(path: RegExp, ...answers: readonly Answer[]): void;
}

/** Git keeps small files itself, all others apart. */
const LARGE = 200;
/** Tokens that the server knows. */
const KNOWN = /^Bearer hf_(?!revoked)/;

export const commitOf = (n: number): string => createHash('sha1').update(`commit ${n}`).digest('hex');

const bytesOf = (content: Content): Buffer => Buffer.from(content as Uint8Array);

const gitOid = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Answers with a status, as the Hub would word it. */
export const status =
  (code: number, headers: Record<string, string> = {}, error = 'trouble'): Answer =>
  (_, response) =>
    void response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ error }));

/** Sends so many bytes of the file, and ends the connection. */
export const cutAfter =
  (bytes: number, content: Content): Answer =>
  (_, response) => {
    const all = bytesOf(content);
    response.writeHead(200, { 'content-length': all.length });
    response.write(all.subarray(0, bytes), () => response.destroy());
  };

export const serveHub = async (repos: readonly Repo[], { page = 1000 } = {}): Promise<HubServer> => {
  const asked: string[] = [];
  const leaked: string[] = [];
  const queue: { path: RegExp; answer: Answer }[] = [];
  let sent = 0;
  const listen = async (handle: Answer): Promise<string> => {
    const server: Server = createServer(handle);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const give = (request: IncomingMessage, response: ServerResponse, bytes: Buffer, etag: string): void => {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = bytes.subarray(from);
    sent += body.length;
    const range = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { etag: `"${etag}"`, 'content-length': body.length, ...range }).end(body);
  };
  const taken = (request: IncomingMessage, response: ServerResponse): boolean => {
    const i = queue.findIndex(q => q.path.test(request.url!));
    if (i === -1) return false;
    queue.splice(i, 1)[0]!.answer(request, response);
    return true;
  };

  const large = new Map<string, Buffer>();
  const cdn = await listen((request, response) => {
    asked.push(`cdn ${request.method} ${request.url}`);
    if (request.headers.authorization) leaked.push(request.headers.authorization);
    if (taken(request, response)) return;
    const bytes = large.get(request.url!.slice(1).split('?')[0]!);
    if (bytes) give(request, response, bytes, sha256(bytes));
    else response.writeHead(404).end();
  });

  const endpoint = await listen((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (taken(request, response)) return;
    const url = new URL(request.url!, 'http://hub');
    const found =
      /^\/api\/(datasets|models)\/(.+?)\/(revision|tree)\/([^/]+)$/.exec(url.pathname) ??
      /^\/(?:(datasets)\/)?(.+?)\/(resolve)\/([^/]+)\/(.+)$/.exec(url.pathname);
    const [, kind = 'models', name, what, revision, path] = found ?? [];
    const repo = repos.find(r => r.kind === kind && r.name === name);
    const { authorization } = request.headers;
    if (authorization !== undefined && !KNOWN.test(authorization))
      return status(401, {}, 'Invalid credentials in Authorization header')(request, response);
    const mayRead = repo && (!repo.tokens || repo.tokens.some(t => authorization === `Bearer ${t}`));
    if (repo && !mayRead && repo.gated) {
      const headers = { 'x-error-code': 'GatedRepo', 'x-error-message': `Access to ${kind} ${name} is restricted.` };
      return status(authorization === undefined ? 401 : 403, headers)(request, response);
    }
    if (!mayRead) {
      const headers = { 'x-error-code': 'RepoNotFound' };
      return status(authorization === undefined ? 401 : 404, headers, 'Repository not found')(request, response);
    }
    const ref = decodeURIComponent(revision!);
    const sha = repo.refs[ref] ?? ref;
    const files = repo.commits[sha];
    if (!files) return status(404, { 'x-error-code': 'RevisionNotFound' }, `Invalid rev id: ${ref}`)(request, response);
    const json = (value: unknown, headers = {}) =>
      void response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    if (what === 'revision') {
      const date = '2025-08-05T00:00:00.000Z';
      return json({ _id: '1', id: name, sha, private: false, gated: repo.gated ?? false, lastModified: date });
    }
    if (what === 'tree') {
      const folders = new Set(Object.keys(files).flatMap(f => f.split('/').slice(0, -1)));
      const entries = [
        ...[...folders].map(f => ({ type: 'directory', oid: gitOid(Buffer.from(f)), size: 0, path: f })),
        ...Object.entries(files).map(([p, content]) => {
          const bytes = bytesOf(content);
          const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 130 };
          const entry = { type: 'file', oid: gitOid(bytes), size: bytes.length, path: p };
          return bytes.length >= LARGE ? { ...entry, oid: gitOid(Buffer.from(lfs.oid)), lfs } : entry;
        }),
      ];
      const from = Number(url.searchParams.get('cursor') ?? 0);
      const next = new URL(url);
      next.searchParams.set('cursor', String(from + page));
      const link = `<${endpoint}${next.pathname}${next.search}>; rel="next"`;
      return json(entries.slice(from, from + page), from + page < entries.length ? { link } : {});
    }
    const content = files[decodeURIComponent(path!)];
    if (content === undefined)
      return status(404, { 'x-error-code': 'EntryNotFound' }, 'Entry not found')(request, response);
    const bytes = bytesOf(content);
    if (bytes.length < LARGE) return give(request, response, bytes, gitOid(bytes));
    const oid = sha256(bytes);
    large.set(oid, bytes);
    response
      .writeHead(302, {
        location: `${cdn}/${oid}?X-Amz-Signature=secret`,
        'x-repo-commit': sha,
        'x-linked-etag': `"${oid}"`,
        'x-linked-size': bytes.length,
      })
      .end();
  });
  return {
    endpoint,
    asked,
    leaked,
    sent: () => sent,
    once: (path, ...answers) => void queue.push(...answers.map(answer => ({ path, answer }))),
  };
};

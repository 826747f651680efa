/** A web site on loopback, whose pages a test makes and changes while it runs, and which notes what it was asked for. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Where Debian's python3.11-doc lies: 530 pages of a real site. */
export const PYTHON_DOCS = '/usr/share/doc/python3.11-doc/html';
export const HAS_PYTHON_DOCS = existsSync(join(PYTHON_DOCS, 'tutorial'));

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Text is an HTML page with an ETag; a function answers by itself. */
export type Page = string | Reply | ((request: IncomingMessage, response: ServerResponse) => void);

export interface Site {
  /** Without a slash at its end. */
  readonly url: string;
  /** Paths asked for, in order, robots.txt left out; a test may empty it. */
  readonly asked: string[];
  /** Headers of the last request for each path. */
  readonly heard: Map<string, IncomingMessage['headers']>;
  /** Path to page; what is in neither is not found. A test may change it at any time. */
  readonly pages: Record<string, Page>;
  /** Most requests that were open at the same moment. */
  most(): number;
  /** Ends it before the test does. */
  close(): Promise<void>;
}

/** `folder`: files that are served besides, as pages with ETag and Last-Modified. */
export const serveSite = async (
  pages: Record<string, Page> = {},
  { folder, port = 0 }: { readonly folder?: string; readonly port?: number } = {},
): Promise<Site> => {
  const asked: string[] = [];
  const heard = new Map<string, IncomingMessage['headers']>();
  let open = 0;
  let most = 0;
  const server = createServer((request, response) => {
    const path = request.url!;
    if (path !== '/robots.txt') asked.push(path);
    heard.set(path, request.headers);
    most = Math.max(most, ++open);
    response.on('close', () => open--);
    const page = pages[path] ?? (folder === undefined ? undefined : file(folder, path));
    if (page === undefined) response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not found</h1>');
    else if (typeof page === 'function') page(request, response);
    else reply(request, response, typeof page === 'string' ? asHtml(page) : page);
  });
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise(resolve => server.close(() => resolve()));
  };
  onTestFinished(close);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked, heard, pages, most: () => most, close };
};

const asHtml = (body: string): Reply => ({
  headers: {
    'content-type': 'text/html; charset=utf-8',
    etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`,
  },
  body,
});

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.txt': 'text/plain', '.png': 'image/png' };

const file = (folder: string, path: string): Reply | undefined => {
  const name = join(folder, decodeURIComponent(path.split('?')[0]!));
  const stat = statSync(name, { throwIfNoEntry: false });
  if (!stat?.isFile()) return undefined;
  return {
    headers: {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      etag: `"${stat.mtimeMs}-${stat.size}"`,
      'last-modified': stat.mtime.toUTCString(),
    },
    body: readFileSync(name),
  };
};

/** Conditional requests are answered as RFC 9110 says: the ETag decides, where one is asked about. */
const reply = (
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, headers = {}, body = '' }: Reply,
) => {
  const { 'if-none-match': tag, 'if-modified-since': date } = request.headers;
  const same = tag === undefined ? date !== undefined && date === headers['last-modified'] : tag === headers.etag;
  if (status === 200 && same) response.writeHead(304, headers).end();
  else response.writeHead(status, headers).end(body);
};

/** A page with a title, a paragraph, and links. */
export const page = (title: string, text = `This is what ${title} says.`, links: readonly string[] = []): string =>
  `<!doctype html><html lang="en"><head><title>${title} - site</title></head><body><nav>${links
    .map(l => `<a href="${l}">${l}</a>`)
    .join(' ')}</nav><main><h1>${title}</h1><p>${text}</p></main></body></html>`;

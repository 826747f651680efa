/**
 * Bright Data's API on loopback, as its documentation describes it (Web Unlocker, and scrapers by trigger, progress and
 * snapshot): what it is asked, what that would have cost, and the errors and limits that a test turns on.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A page of the web as the service sees it: HTML, or what it meets instead. */
export type Target =
  | string
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** As `x-brd-error-code` and `x-brd-error` of the Unlocker, `error_code` and `error` of a scraper's record. */
  | { readonly code: string; readonly error: string };

export interface Snapshot {
  readonly id: string;
  readonly urls: readonly string[];
  /** Looks at its progress that still say `running`. */
  running: number;
  /** Downloads that still say "not ready". */
  building: number;
  /** `ready` unless a test says otherwise. */
  end: string;
}

type Override = (request: IncomingMessage, response: ServerResponse, body: string) => boolean;

export interface BrightDataServer {
  readonly url: string;
  readonly token: string;
  readonly zone: string;
  readonly dataset: string;
  /** Address to what is there; anything else is a dead page. */
  readonly web: Record<string, Target>;
  /** Addresses asked for through the Unlocker, in order. */
  readonly unlocked: string[];
  readonly snapshots: Snapshot[];
  /** Method and path of every call, without its query. */
  readonly calls: string[];
  /** Pages that have been paid for: successes of the Unlocker, and of collections when they were ordered. */
  paid(): number;
  /** What new snapshots begin with. */
  readonly next: { running: number; building: number; end: string };
  /** Comes before everything else; true when it has answered. */
  override: Override | null;
  /** The last body of each path. */
  readonly bodies: Map<string, unknown>;
  /** So many answers of 429 within five minutes, and the address is blocked. */
  slowDowns(): number;
}

const TOKEN = 'bd-0123456789abcdef-secret';

export const serveBrightData = async (web: Record<string, Target> = {}): Promise<BrightDataServer> => {
  const snapshots: Snapshot[] = [];
  const unlocked: string[] = [];
  const calls: string[] = [];
  const bodies = new Map<string, unknown>();
  let paid = 0;
  let slow = 0;
  const api = {
    ...{
      token: TOKEN,
      zone: 'web_unlocker1',
      dataset: 'gd_m6gjtfmeh43we6cqc',
      web,
      unlocked,
      snapshots,
      calls,
      bodies,
    },
    next: { running: 1, building: 0, end: 'ready' },
    override: null as Override | null,
    paid: () => paid,
    slowDowns: () => slow,
  };
  const json = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  const plain = (response: ServerResponse, status: number, message: string) =>
    void response.writeHead(status, { 'content-type': 'text/plain' }).end(message);

  const unlock = (response: ServerResponse, body: Record<string, string>) => {
    if (!body.zone || !body.url || !body.format)
      return plain(response, 400, 'Invalid request: zone, url and format are required');
    if (body.zone !== api.zone) return plain(response, 400, `zone "${body.zone}" not found`);
    unlocked.push(body.url);
    const target = web[body.url] ?? { status: 404, body: '<h1>Not found</h1>' };
    if (typeof target === 'object' && 'code' in target)
      return void response
        .writeHead(200, { 'x-brd-error-code': target.code, 'x-brd-error': target.error, 'content-length': '0' })
        .end();
    const {
      status,
      headers = {},
      body: html = '',
    } = typeof target === 'string' ? { status: 200, body: target } : target;
    if (status < 400) paid++;
    const content = body.data_format === 'markdown' ? asMarkdown(html) : html;
    if (body.format === 'raw') return void response.writeHead(status, headers).end(content);
    json(response, 200, { status_code: status, headers: { 'Content-Type': 'text/html', ...headers }, body: content });
  };

  const trigger = (response: ServerResponse, query: URLSearchParams, body: unknown) => {
    if (!query.get('dataset_id')) return plain(response, 404, 'Collector not found');
    if (query.get('dataset_id') !== api.dataset) return plain(response, 404, 'dataset does not exist');
    if (!Array.isArray(body) || body.length === 0) return plain(response, 400, 'No data to trigger');
    const urls = (body as { url: string }[]).map(({ url }) => url);
    for (const url of urls) {
      const target = web[url];
      if (typeof target === 'string' || (target && 'status' in target && target.status < 400)) paid++;
    }
    const snapshot = { id: `s_${String(snapshots.length + 1).padStart(6, '0')}`, urls, ...api.next };
    snapshots.push(snapshot);
    json(response, 200, { snapshot_id: snapshot.id });
  };

  const progress = (response: ServerResponse, snapshot: Snapshot) => {
    const status = snapshot.running-- > 0 ? 'running' : snapshot.end;
    const error = status === 'failed' ? { error_message: 'Collection failed' } : {};
    json(
      response,
      200,
      { snapshot_id: snapshot.id, dataset_id: api.dataset, status, ...error },
      { 'retry-after': '0' },
    );
  };

  const download = (response: ServerResponse, snapshot: Snapshot) => {
    if (snapshot.building-- > 0)
      return json(response, 202, { status: 'building', message: 'Snapshot is building, try again in 0s' });
    const lines = snapshot.urls.map(url => record(url, web[url], api.bodies.get('fields') as string));
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(lines.join('\n'));
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://localhost');
    calls.push(`${request.method} ${url.pathname}`);
    response.on('close', () => {
      if (response.statusCode === 429) slow++;
    });
    void text(request).then(body => {
      if (api.override?.(request, response, body)) return;
      const { authorization } = request.headers;
      if (!authorization) return plain(response, 401, 'Credentials are missing');
      if (authorization !== `Bearer ${TOKEN}`) return plain(response, 401, `Invalid credentials: ${authorization}`);
      let value: unknown = null;
      try {
        value = body === '' ? null : JSON.parse(body);
      } catch {
        return json(response, 400, { error: 'Parser cannot parse input', code: 'parse_error' });
      }
      if (value !== null) bodies.set(url.pathname, value);
      const [, kind, id] = /^\/datasets\/v3\/(\w+)(?:\/(\w+))?$/.exec(url.pathname) ?? [];
      if (request.method === 'POST' && url.pathname === '/request')
        return unlock(response, value as Record<string, string>);
      if (request.method === 'POST' && kind === 'trigger') {
        bodies.set('fields', url.searchParams.get('custom_output_fields') ?? '');
        return trigger(response, url.searchParams, value);
      }
      const snapshot = snapshots.find(s => s.id === id);
      if (!snapshot) return plain(response, 404, 'Snapshot does not exist');
      if (kind === 'progress') return progress(response, snapshot);
      if (kind === 'snapshot') return download(response, snapshot);
      plain(response, 404, 'Not found');
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(api, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
};

/** One line of a snapshot: only the fields that were asked for. */
const record = (url: string, target: Target | undefined, fields: string): string => {
  const html = typeof target === 'string' ? target : target && 'body' in target ? (target.body ?? '') : '';
  const all: Record<string, unknown> =
    target === undefined
      ? { error: 'Page not found', error_code: 'dead_page' }
      : typeof target === 'object' && 'code' in target
        ? { error: target.error, error_code: target.code }
        : { url, page_html: html, markdown: asMarkdown(html), page_title: /<title>([^<]*)/.exec(html)?.[1] };
  const wanted = Object.entries({ ...all, input: { url }, timestamp: '2026-01-01T00:00:00.000Z' });
  return JSON.stringify(Object.fromEntries(wanted.filter(([name]) => fields.split('|').includes(name))));
};

/** The service's own conversion, by its looks. */
const asMarkdown = (html: string): string =>
  (html.split('<main>')[1]?.split('</main>')[0] ?? html)
    .replace(/<h1>(.*?)<\/h1>/g, '# $1\n\n')
    .replace(/<[^>]*>/g, '');

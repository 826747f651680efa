/** Loads the pages of a finished collection, line by line, and keeps each as it comes. */
import { normalise } from '../address.ts';
import type { Job, Page } from '../answers.ts';
import { read } from '../content.ts';
import { type Head, retryAfter } from '../http.ts';
import { Trouble } from '../trouble.ts';
import type { BrightData } from './api.ts';
import type { CollectionTools, Left } from './collections.ts';
import { jsonLines } from './json-lines.ts';
import { Patience } from './patience.ts';

/** Seconds in which a snapshot has to be loaded. */
const LOADING = 1800;

/** One page of a snapshot, or why there is none. */
interface Line {
  readonly url?: unknown;
  readonly input?: { readonly url?: unknown };
  readonly page_html?: unknown;
  readonly markdown?: unknown;
  readonly page_title?: unknown;
  readonly error?: unknown;
  readonly error_code?: unknown;
  /** Of a snapshot that is not ready after all. */
  readonly status?: unknown;
  readonly message?: unknown;
}

/** Loads a snapshot, one page in memory at a time. Some are "ready" before they can be loaded. */
export const load = async (tools: CollectionTools, job: Job, left: Left): Promise<void> => {
  const { api, most, wait } = tools;
  const wanted = new Set(job.addresses);
  const patience = new Patience(job.id, wait);
  for (;;) {
    const again = await api.call(
      { path: `/datasets/v3/snapshot/${job.id}?format=ndjson`, timeout: LOADING, most: Infinity },
      async (head, stream) => {
        for await (const line of jsonLines(stream, most * 8)) {
          const record = line as Line;
          if (typeof record.status === 'string' && record.input === undefined && record.url === undefined)
            return notReady(api, record, head);
          keep(tools, record, wanted, left);
        }
        return null;
      },
    );
    if (again === null) return;
    await patience.pause(again.told);
  }
};

/** How many seconds to wait, if it says so. Throws Trouble when there will never be anything. */
const notReady = (api: BrightData, { status, message }: Line, head: Head): { readonly told: number | null } => {
  if (status === 'failed') throw new Trouble('dead', `Bright Data: the collection failed: ${api.quote(message)}`);
  const seconds = /\b(\d+)\s*s\b/.exec(String(message ?? ''))?.[1];
  return { told: retryAfter(head) ?? (seconds === undefined ? null : Number(seconds)) };
};

/** What will be so tomorrow; all other errors may be the service's own. */
const FOR_GOOD = /^(dead_page|bad_input|not_found|policy.*|invalid.*)$/;

const keep = (tools: CollectionTools, line: Line, wanted: ReadonlySet<string>, left: Left): void => {
  const { answers, most, markdown } = tools;
  const named = typeof line.input?.url === 'string' ? line.input.url : String(line.url ?? '');
  const address = normalise(named);
  if (address === null || !wanted.has(address) || answers.find(address)?.holds) return;
  try {
    const code = typeof line.error_code === 'string' ? line.error_code : '';
    if (code !== '' || line.error) {
      const reason = `Bright Data: ${tools.api.quote(line.error ?? code)}${code === '' ? '' : ` (${code})`}`;
      throw new Trouble(FOR_GOOD.test(code) ? 'dead' : 'transient', reason);
    }
    const isHtml = !markdown && typeof line.page_html === 'string';
    const body = isHtml ? line.page_html : line.markdown;
    if (typeof body !== 'string' || body === '') throw new Trouble('transient', 'Bright Data gave an empty page');
    const bytes = Buffer.from(body as string);
    if (bytes.length > most) throw new Trouble('dead', `larger than ${Number((most / 2 ** 20).toFixed(1))} MB`);
    const title = !isHtml && typeof line.page_title === 'string' ? line.page_title.trim() || null : null;
    const page: Page = {
      address,
      format: isHtml ? 'html' : 'markdown',
      xhtml: false,
      charset: 'utf-8',
      etag: null,
      modified: null,
      title,
      body: bytes,
    };
    answers.keep(address, page, read(page));
    left.delete(address);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    const { kind, message: reason, status } = error;
    if (kind === 'transient') left.set(address, tools.alone ? null : error);
    else answers.refuse(address, { kind, reason, status });
  }
};

/**
 * Brings many pages through a collection of Bright Data's (a scraper's dataset, of which the Crawl API is the one for any page):
 *
 *   POST /datasets/v3/trigger ──> snapshot id, kept on disk ──> GET …/progress/{id} until ready ──> GET …/snapshot/{id}, line by line
 *
 * A build that is killed on the way goes on with the snapshot and pays nothing twice.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { StageError } from '../../../contract.ts';
import type { Answers, Job } from '../answers.ts';
import type { Batch } from '../collector.ts';
import { type Head, retryAfter } from '../http.ts';
import { BACK_OFF, Trouble } from '../trouble.ts';
import { type BrightData, json } from './api.ts';
import { OutOfPatience, Patience } from './patience.ts';
import { load } from './snapshot.ts';

export interface CollectionTools {
  readonly api: BrightData;
  readonly answers: Answers;
  readonly dataset: string;
  /** Whether the service makes Markdown of the pages. */
  readonly markdown: boolean;
  /** Seconds that a collection may take before the next build goes on with it. */
  readonly wait: number;
  /** Seconds for one call. */
  readonly timeout: number;
  /** Bytes of a page. */
  readonly most: number;
  /** How often a call that costs nothing is made again when it fails for now. */
  readonly retries: number;
  /** Whether what a collection could not get is asked for one by one. */
  readonly alone: boolean;
  warn(line: string): void;
  progress(note: string): void;
}

/** Addresses in one collection: its snapshot then stays far below what may be loaded at once (5 GB). */
const TOGETHER = 1000;
const SMALL = 2 ** 20;

/** Null where the page may be asked for alone. */
export type Left = Map<string, Trouble | null>;

export const collections =
  (tools: CollectionTools): Batch =>
  async addresses => {
    const { answers } = tools;
    const asked = new Set(addresses);
    const left: Left = new Map();
    // What earlier builds have paid for comes first: it may be all that is wanted.
    await Promise.all(answers.jobs().map(job => takeJob(tools, job, { asked, left, isOld: true })));
    const rest = addresses.filter(address => !left.has(address) && !answers.find(address)?.holds);
    const jobs: Promise<void>[] = [];
    for (let from = 0; from < rest.length; from += TOGETHER) {
      const part = rest.slice(from, from + TOGETHER);
      const job = await begin(tools, part, left);
      if (!job) continue;
      const taken = takeJob(tools, job, { asked, left, isOld: false });
      // Heard of below, when all have been begun.
      taken.catch(() => {});
      jobs.push(taken);
    }
    await Promise.all(jobs);
    for (const address of rest) {
      if (left.has(address) || answers.find(address)?.holds) continue;
      left.set(address, tools.alone ? null : new Trouble('transient', 'Bright Data gave nothing for it'));
    }
    return left;
  };

/** Orders a collection; null when it was not taken: then its pages are asked for alone, if they can be. */
const begin = async (tools: CollectionTools, addresses: readonly string[], left: Left): Promise<Job | null> => {
  const { api, answers, dataset, markdown, timeout, alone, warn } = tools;
  const fields = ['url', 'input', markdown ? 'markdown' : 'page_html', 'page_title', 'error', 'error_code'];
  const query = new URLSearchParams({
    dataset_id: dataset,
    include_errors: 'true',
    custom_output_fields: fields.join('|'),
  });
  const body = addresses.map(url => ({ url }));
  try {
    const answer = (await api.call(
      { method: 'POST', path: `/datasets/v3/trigger?${query}`, body, timeout, most: SMALL },
      (_, stream) => json(stream, SMALL),
    )) as { snapshot_id?: unknown };
    const id = answer?.snapshot_id;
    if (typeof id !== 'string' || !/^[\w-]+$/.test(id))
      throw new Trouble('transient', 'Bright Data gave no snapshot id');
    answers.addJob(id, addresses);
    return { id, addresses };
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.status === 404)
      throw new StageError('brightdata', error.message, {
        advice: 'dataset: the id of a scraper of the account (gd_…), such as that of the Crawl API',
      });
    // Without an answer it may have been taken all the same, and paid for; at 429 one question for each page would be worse.
    const mayAlone = alone && error.status !== null && error.status !== 429;
    for (const address of addresses) left.set(address, mayAlone ? null : error);
    if (mayAlone) warn(`the batch was not taken, its pages are asked for one by one: ${error.message}`);
    return null;
  }
};

interface Taking {
  readonly asked: ReadonlySet<string>;
  readonly left: Left;
  /** Whether an earlier build has ordered it. */
  readonly isOld: boolean;
}

/** Waits for a collection and keeps its pages. */
const takeJob = async (tools: CollectionTools, job: Job, { asked, left, isOld }: Taking): Promise<void> => {
  const { answers, alone, warn } = tools;
  const blame = (trouble: Trouble, mayAlone: boolean) => {
    for (const address of job.addresses)
      if (asked.has(address) && !answers.find(address)?.holds) left.set(address, mayAlone && alone ? null : trouble);
  };
  try {
    await ready(tools, job);
    await again(tools, () => load(tools, job, left));
    answers.endJob(job.id);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    // Still under way, or the service is down: it has been paid for, so nobody asks otherwise meanwhile.
    if (error.kind === 'transient') return blame(error, false);
    answers.endJob(job.id);
    warn(`collection ${job.id} came to nothing: ${error.message}`);
    // One of an earlier build that the service no longer knows has expired: its pages are ordered again.
    if (error.status === null || !isOld) blame(error, true);
  }
};

/** What costs nothing is tried again where the service itself was in trouble. */
const again = async <T>(tools: CollectionTools, work: () => Promise<T>): Promise<T> => {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isPassing = error instanceof Trouble && error.kind === 'transient' && !(error instanceof OutOfPatience);
      if (!isPassing || attempt >= tools.retries || !tools.api.isOpen) throw error;
      await pause(BACK_OFF * 2 ** attempt * 1000);
    }
  }
};

/** Resolves when the snapshot can be loaded. Rejects with Trouble: `dead` when there will be none. */
const ready = async (tools: CollectionTools, { id }: Job): Promise<void> => {
  const patience = new Patience(id, tools.wait);
  for (;;) {
    const { state, said, head } = await again(tools, () => progress(tools, id));
    if (state === 'ready') return;
    if (/^(failed|cancell?ed)$/.test(state))
      throw new Trouble(
        'dead',
        `Bright Data: the collection ${state === 'failed' ? 'failed' : 'was cancelled'}${said}`,
      );
    tools.progress(`${id} ${state}`);
    await patience.pause(retryAfter(head));
  }
};

const progress = (
  { api, timeout }: CollectionTools,
  id: string,
): Promise<{ readonly state: string; readonly said: string; readonly head: Head }> =>
  api.call({ path: `/datasets/v3/progress/${id}`, timeout, most: SMALL }, async (head, stream) => {
    const answer = (await json(stream, SMALL)) as { status?: unknown; error_message?: unknown };
    const said = typeof answer.error_message === 'string' ? `: ${api.quote(answer.error_message)}` : '';
    // Its states are an open set: all that does not end it means that it goes on.
    return { state: typeof answer.status === 'string' ? answer.status : 'under way', said, head };
  });

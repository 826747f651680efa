/** Writes what became of each address: its page as a row, or as one for each section; a reject; or what was left out, and why. */
import type { Fields, RowsWriter } from '../../contract.ts';
import { sections } from '../readers/markdown.ts';
import type { Head } from './answers.ts';
import type { Collector } from './collector.ts';
import type { Content } from './content.ts';

export interface Writers {
  readonly rows: RowsWriter;
  readonly rejects: RowsWriter;
  readonly dropped: RowsWriter;
}

export interface Result {
  readonly collector: Collector;
  /** In the order of the rows. */
  readonly addresses: readonly string[];
  /** Whether the recipe names an address: what it names must be a page, what is only linked from one may be none. */
  isNamed(address: string): boolean;
  /** Addresses whose page is left out, with the reason. */
  readonly aside: ReadonlyMap<string, string>;
  readonly by: 'page' | 'section';
}

/** Row ids are the pages' addresses after redirects: two ways to one page make one row. */
export const writeRows = async (
  { rows, rejects, dropped }: Writers,
  { collector, addresses, isNamed, aside, by }: Result,
): Promise<void> => {
  const written = new Map<string, string>();
  const drop = (address: string, reason: string) =>
    dropped.write({ id: address, parent: null, fields: { reason, url: address } });
  for (const address of addresses) {
    const outcome = collector.outcome(address);
    if ('trouble' in outcome) {
      const { kind, message: reason, status } = outcome.trouble;
      if (kind === 'no-page' && !isNamed(address)) await drop(address, reason);
      else {
        const transient = kind === 'transient' ? { transient: true } : {};
        const fields = { reason, ...transient, ...(status === null ? {} : { status }), url: address };
        await rejects.write({ id: address, parent: null, fields });
      }
      continue;
    }
    const { page, content } = outcome;
    const reason = aside.get(address);
    const before = written.get(page.address);
    if (reason !== undefined) await drop(address, reason);
    else if (before !== undefined) await drop(address, `the same page as ${before}`);
    else {
      written.set(page.address, address);
      const made = rowsOf(page, content, by);
      for (const { id, fields } of made) await rows.write({ id, parent: null, fields });
      if (made.length > 0) continue;
      if (isNamed(address))
        await rejects.write({ id: address, parent: null, fields: { reason: NO_TEXT, url: address } });
      else await drop(address, NO_TEXT);
    }
  }
};

const NO_TEXT = 'no text is in it';

const rowsOf = (page: Head, content: Content, by: 'page' | 'section'): { id: string; fields: Fields }[] => {
  const { text, language } = content;
  const url = page.address;
  const title = page.title ?? content.title;
  const about = language === null ? {} : { language };
  if (by === 'page' || page.format === 'text') {
    if (text.trim() === '') return [];
    return [{ id: url, fields: { url, ...(title ? { title } : {}), text, ...about } }];
  }
  return sections(text).map(section => {
    const own = section.title ?? title;
    return {
      id: `${url}#${section.slug}`,
      fields: { url, ...(own ? { title: own } : {}), text: section.text, ...about },
    };
  });
};

/** How a page is brought, whoever does it: from its own host, or through a service. */
import type { Page } from './answers.ts';
import type { Content } from './content.ts';

/** A page with what was read from it; null when it is as it was before. */
export type Fetched = { readonly page: Page; readonly content: Content } | null;

/** Rejects with Trouble. `before` is the page that the address gave before, when it is asked for again. */
export type Fetch = (address: string, before: Omit<Page, 'body'> | null) => Promise<Fetched>;

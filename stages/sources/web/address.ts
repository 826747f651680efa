/** Web addresses: one spelling for each, and the patterns that choose among them. */
import { StageError } from '../../contract.ts';

/** Longer ones are no address of a page, and some servers make them without end. */
const LONGEST = 2000;

/**
 * An http(s) address as RFC 3986 normalises it (6.2.2: case, percent-encodings, dot segments; default port), without its
 * fragment; null for anything else, and for one that carries a password.
 */
export const normalise = (text: string, base?: string): string | null => {
  if (text.length > 4 * LONGEST) return null;
  const url = URL.parse(text.trim(), base);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  if (url.username !== '' || url.password !== '') return null;
  url.hash = '';
  url.pathname = plain(url.pathname);
  url.search = plain(url.search);
  // An empty query is no part of the name: "/a?" is "/a".
  const { href } = url;
  const whole = url.search === '' && href.endsWith('?') ? href.slice(0, -1) : href;
  return whole.length > LONGEST ? null : whole;
};

/** Percent-encodings in upper case; those of unreserved characters undone. */
const plain = (part: string): string =>
  part.replace(/%([0-9a-f]{2})/gi, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w.~-]/.test(character) ? character : encoded.toUpperCase();
  });

/** "https://example.org:8443": what a robots.txt, a connection and credentials are for. */
export const originOf = (address: string): string => new URL(address).origin;

/** Whether an address is one of those that the recipe wants. */
export type Wanted = (address: string) => boolean;

type Patterns = string | readonly string[] | undefined;

/** An address is wanted when any of `include` (if there are any) and none of `exclude` is found in it. */
export const wanted = (include: Patterns, exclude: Patterns): Wanted => {
  const yes = compile('include', include);
  const no = compile('exclude', exclude);
  return address => (yes.length === 0 || yes.some(p => p.test(address))) && !no.some(p => p.test(address));
};

const compile = (option: string, patterns: Patterns): RegExp[] =>
  [patterns ?? []].flat().map(pattern => {
    try {
      return new RegExp(pattern, 'u');
    } catch (error) {
      const why = (error as Error).message.replace(/^Invalid regular expression: /, '');
      throw new StageError(
        'invalid-pattern',
        `${option}: ${JSON.stringify(pattern)} is no regular expression: ${why}`,
        {
          advice: 'Patterns are JavaScript regular expressions with the u flag; in YAML write them in single quotes.',
        },
      );
    }
  });

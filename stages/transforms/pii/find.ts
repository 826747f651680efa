/** Finds personal data in a text: where it stands and of what kind it is. */
import { findKeys } from './keys.ts';
import { isCard, isIban, isPublicIpv4, isPublicIpv6 } from './numbers.ts';
import { findPhones } from './phone.ts';

export type Kind = 'key' | 'email' | 'iban' | 'card' | 'ip' | 'phone';

export interface Found {
  readonly start: number;
  readonly end: number;
  /** A kind, or the name of a pattern of the user's. */
  readonly kind: string;
}

type Find = (text: string) => [start: number, end: number][];

const LOCAL = String.raw`[\p{L}\p{N}][\p{L}\p{N}._%+-]{0,63}`;
const EMAIL = new RegExp(
  String.raw`(?<![\p{L}\p{N}._%+-])${LOCAL}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}_(@-])`,
  'gu',
);
/** `logo@2x.png`, and the account that everybody clones with. */
const NO_EMAIL = /\.(?:png|jpe?g|gif|svg|webp|avif|css|s?js|json|html?|php|py|ts|md|zip|gz)$|^git@|^[^@]*@\d+x\./i;

const IBAN = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Za-z0-9])/g;
const CARD = /(?<![\d.,_-])\d(?:[ -]?\d){12,18}(?![\d_]|[.,-]\d)/g;
const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = new RegExp(String.raw`(?<![\w.-])${OCTET}(?:\.${OCTET}){3}(?![\w-]|\.\d)`, 'g');
const IPV6 = /(?<![\w:.])(?:[\da-f]{1,4}:){1,7}(?::|[\da-f]{1,4}|(?::[\da-f]{1,4}){1,7})(?![\w:])/gi;
/** What stands before four numbers that are a version or a section. */
const VERSION = /(?:\bv|\bver(?:sion)?|\brelease|\bbuild|\bsection|\bchapter|§|版本|版|==|>=|<=|~=|\bRFC)[ .:=]{0,3}$/i;

/** Parts of a longer match are tried too: an IBAN may be followed by a word in capitals. */
const longest = (text: string, start: number, end: number, is: (part: string) => boolean): number | null => {
  for (let to = end; to > start; to--) {
    if (/[ -]/.test(text[to - 1]!)) continue;
    if (is(text.slice(start, to)) && !/[A-Za-z0-9]/.test(text[to] ?? '')) return to;
  }
  return null;
};

const FINDERS: Readonly<Record<Kind, Find>> = {
  key: findKeys,
  email: text =>
    text.includes('@')
      ? [...text.matchAll(EMAIL)].filter(m => !NO_EMAIL.test(m[0])).map(m => [m.index, m.index + m[0].length])
      : [],
  iban: text =>
    [...text.matchAll(IBAN)].flatMap(m => {
      const end = longest(text, m.index, m.index + m[0].length, isIban);
      return end === null ? [] : [[m.index, end]];
    }),
  card: text => [...text.matchAll(CARD)].filter(m => isCard(m[0])).map(m => [m.index, m.index + m[0].length]),
  ip(text) {
    const found: [number, number][] = [];
    if (text.includes('.'))
      for (const { 0: ip, index } of text.matchAll(IPV4)) {
        // Numbers of one digit are sections and versions: 1.2.3.4.
        const isName = /^\d(?:\.\d){3}$/.test(ip) || VERSION.test(text.slice(Math.max(0, index - 12), index));
        if (isPublicIpv4(ip) && !isName) found.push([index, index + ip.length]);
      }
    if (text.includes(':'))
      for (const { 0: ip, index } of text.matchAll(IPV6)) if (isPublicIpv6(ip)) found.push([index, index + ip.length]);
    return found;
  },
  phone: findPhones,
};

/** The surer kinds first: where two claim a stretch, the first has it. */
export const KINDS = Object.keys(FINDERS) as readonly Kind[];

const DIGITS = /\d(?:[^\p{L}\n]{0,3}\d){6}/u;
/** Kinds that need seven digits close to each other. */
const NUMERIC: ReadonlySet<string> = new Set<Kind>(['iban', 'card', 'phone']);

/** What of `kinds` and of the user's patterns stands in a text, in order, nothing twice. */
export const finder = (
  kinds: readonly Kind[],
  patterns: Readonly<Record<string, RegExp>>,
): ((text: string) => readonly Found[]) => {
  const wanted = KINDS.filter(kind => kinds.includes(kind));
  return text => {
    const all: Found[] = [];
    let claimed: Uint8Array | null = null;
    const claim = (kind: string, start: number, end: number) => {
      claimed ??= new Uint8Array(text.length);
      if (end === start || claimed.subarray(start, end).includes(1)) return;
      claimed.fill(1, start, end);
      all.push({ start, end, kind });
    };
    for (const [name, pattern] of Object.entries(patterns))
      for (const m of text.matchAll(pattern)) claim(name, m.index, m.index + m[0].length);
    const digits = /\d/.test(text) && DIGITS.test(text);
    for (const kind of wanted) {
      if (!digits && NUMERIC.has(kind)) continue;
      for (const [start, end] of FINDERS[kind](text)) claim(kind, start, end);
    }
    return all.length > 1 ? all.sort((a, b) => a.start - b.start) : all;
  };
};

/** Keys, tokens and passwords, by the forms that their issuers publish for secret scanners. */

/**
 * Each is found by a fixed beginning, so that ordinary words and hashes are not taken for keys. The last: JSON Web Tokens, of which
 * two parts begin as `{"` does in base64.
 */
const ISSUED = String.raw`
  (?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}
  AIza[\w-]{35}
  ya29\.[\w-]{20,}
  GOCSPX-[\w-]{28}
  gh[pousr]_[A-Za-z0-9]{36,255}
  github_pat_\w{40,255}
  glpat-[\w-]{20,}
  xox[abeprs]-[A-Za-z0-9-]{10,}
  xapp-\d-[A-Za-z0-9-]{20,}
  https:\/\/hooks\.slack\.com\/services\/[A-Za-z0-9\/]{20,}
  [rs]k_(?:live|test)_[A-Za-z0-9]{16,}
  whsec_[A-Za-z0-9+\/=]{24,}
  sk-(?:proj|svcacct|admin|ant-[a-z0-9]+|or-v1|None)-[\w-]{20,}
  sk-[A-Za-z0-9]{32,}
  hf_[A-Za-z0-9]{30,}
  r8_[A-Za-z0-9]{37}
  gsk_[A-Za-z0-9]{40,}
  pplx-[A-Za-z0-9]{40,}
  npm_[A-Za-z0-9]{36}
  pypi-AgE[\w-]{50,}
  dckr_pat_[\w-]{27}
  do[por]_v1_[a-f0-9]{64}
  dapi[a-f0-9]{32}
  SG\.[\w-]{16,32}\.[\w-]{16,64}
  shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}
  sq0(?:atp|csp)-[\w-]{22,43}
  (?:AC|SK)[a-f0-9]{32}
  lin_api_[A-Za-z0-9]{40}
  secret_[A-Za-z0-9]{43}
  \d{8,10}:AA[\w-]{33}
  AccountKey=[A-Za-z0-9+\/]{86}==
  eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}
`
  .trim()
  .split(/\s+/);

const LABEL = '(?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----';
const BLOCK = `-----BEGIN ${LABEL}[^-]{20,20000}-----END ${LABEL}`;
/** Of `https://user:password@host` the password. */
const IN_URL = String.raw`:\/\/[^\s:@\/"']{0,64}:(?<password>[^\s:@\/"'<>{}$]{3,128})(?=@[\w.-])`;
/** `api_key = "…"`: the value, where it looks drawn at random. */
const ASSIGNED = String.raw`(?:api[_-]?key|secret|token|passwo?r?d|auth|credential)s?["']?\s{0,3}(?::|=>?)\s{0,3}["']?(?<value>[A-Za-z0-9_\-.+\/=]{20,200})`;

const KEYS = new RegExp(`(?<block>${BLOCK})|(?<![\\w-])(?<issued>${ISSUED.join('|')})(?!\\w)|${IN_URL}`, 'dg');
const NAMED = new RegExp(`${ASSIGNED}`, 'dgi');
/** A text in which none of these stands holds no key. */
const MAY_HOLD_KEY =
  /-----BEGIN|AKIA|ASIA|ABIA|ACCA|AIza|ya29|GOCSPX|gh[pousr]_|github_pat|glpat|xox|xapp|hooks\.slack|[rs]k[_-]|whsec|hf_|r8_|gsk_|pplx|npm_|pypi-|dckr|_v1_|dapi|SG\.|shp|sq0|AC[a-f\d]{32}|SK[a-f\d]{32}|lin_api|secret|:AA|AccountKey|eyJ|:\/\/[^\s:@/]*:|key|token|passw|auth|credential/i;

const PLACEHOLDER =
  /example|your[_-]|x{4,}|\*{3,}|placeholder|redacted|changeme|dummy|sample|(.)\1{7}|12345678|abcdefgh/i;

/** Bits a character, by how often each comes. */
const entropy = (text: string): number => {
  const counts = new Map<string, number>();
  for (const c of text) counts.set(c, (counts.get(c) ?? 0) + 1);
  let bits = 0;
  for (const n of counts.values()) bits -= (n / text.length) * Math.log2(n / text.length);
  return bits;
};

/** Letters and digits without order, and no path, version or name. */
const isRandom = (text: string): boolean =>
  /\d/.test(text) &&
  /[A-Za-z]/.test(text) &&
  !/[./]{2}|\.\w{1,4}$|^[\w.]+\.\w+\.\w+$/.test(text) &&
  entropy(text) >= 3.5;

/** Where keys stand in a text: start and end. */
export const findKeys = (text: string): [start: number, end: number][] => {
  if (!MAY_HOLD_KEY.test(text)) return [];
  const found: [number, number][] = [];
  for (const pattern of [KEYS, NAMED]) {
    for (const { groups, indices } of text.matchAll(pattern)) {
      for (const [name, value] of Object.entries(groups!)) {
        if (value === undefined || (name !== 'block' && PLACEHOLDER.test(value))) continue;
        if (name === 'value' && !isRandom(value)) continue;
        found.push(indices!.groups![name]!);
      }
    }
  }
  return found;
};

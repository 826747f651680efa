/** Numbers that carry their own proof: card numbers (Luhn, ISO/IEC 7812), IBANs (mod 97, ISO 13616), IP addresses. */

export const isLuhn = (digits: string): boolean => {
  let sum = 0;
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    const digit = digits.charCodeAt(i) - 48;
    sum += double ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
};

/** First digits of the networks that issue cards, and how long their numbers are. */
const NETWORKS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720))/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|64[4-9]|65)/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^3(?:0[0-5]|[689])/, [14, 15, 16, 17, 18, 19]],
  [/^62/, [16, 17, 18, 19]],
];
/** As they are printed: without separators, in fours, or as American Express and Diners Club group them. */
const GROUPED = /^(?:\d+|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})$/;

export const isCard = (text: string): boolean => {
  if (!GROUPED.test(text)) return false;
  const digits = text.replace(/\D/g, '');
  if (!NETWORKS.some(([first, lengths]) => first.test(digits) && lengths.includes(digits.length))) return false;
  return isLuhn(digits);
};

/** Length of an IBAN by country (SWIFT's registry). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  `AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27
  GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27
  MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23
  TN24 TR26 UA29 VA22 VG24 XK20`
    .split(/\s+/)
    .map(entry => [entry.slice(0, 2), Number(entry.slice(2))]),
);

export const isIban = (text: string): boolean => {
  const bare = text.replace(/[ -]/g, '');
  if (IBAN_LENGTHS[bare.slice(0, 2)] !== bare.length) return false;
  let rest = 0;
  for (const c of bare.slice(4) + bare.slice(0, 4)) {
    const value = Number.parseInt(c, 36);
    rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
  }
  return rest === 1;
};

/** Whether an IPv4 address is somebody's: not private, local, for documentation or multicast (RFC 6890). */
export const isPublicIpv4 = (text: string): boolean => {
  const [a, b, c] = text.split('.').map(Number) as [number, number, number, number];
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if (a === 100 && b >= 64 && b < 128) return false;
  if (a === 169 && b === 254) return false;
  if (a === 172 && b >= 16 && b < 32) return false;
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)))) return false;
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false;
  return !(a === 203 && b === 0 && c === 113);
};

/** An IPv6 address as RFC 4291 writes it, and somebody's: global unicast, and not the prefix for documentation. */
export const isPublicIpv6 = (text: string): boolean => {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.map(half => (half === '' ? [] : half.split(':')));
  const count = groups.flat().length;
  if (halves.length === 2 ? count > 7 : count !== 8) return false;
  if (groups.flat().some(group => !/^[\da-f]{1,4}$/i.test(group))) return false;
  const first = Number.parseInt(groups[0]![0] ?? '0', 16);
  const second = Number.parseInt(groups[0]![1] ?? '0', 16);
  return first >= 0x2000 && first < 0x4000 && !(first === 0x2001 && second === 0xdb8);
};

/** Takes secret values out of text, by value: plain, JSON-escaped or URL-encoded. */

export type Redact = (text: string) => string;

/** Shorter values are not secrets worth the name, and would take ordinary words out of every message. */
export const SHORTEST_SECRET = 4;
const SHORTEST_LINE = 8;

const asciiJson = (json: string): string =>
  json.replace(/[\x7f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const urlEncoded = (text: string): string => encodeURIComponent(text.toWellFormed());

/** Every way in which a secret turns up in text. */
const spellings = (secret: string): string[] => {
  const json = JSON.stringify(secret).slice(1, -1);
  const ascii = asciiJson(json);
  const url = urlEncoded(secret);
  const form = url.replace(/[!'()~]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const all = [secret, json, ascii, json.replaceAll('/', '\\/'), ascii.replaceAll('/', '\\/'), url, form];
  all.push(form.replaceAll('%20', '+'), encodeURI(secret.toWellFormed()));
  const lowerHex = all.map(text => text.replace(/%[0-9A-F]{2}/g, hex => hex.toLowerCase()));
  // A key file is logged line by line.
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).filter(line => line.trim().length >= SHORTEST_LINE) : [];
  return [...all, ...lowerHex, ...lines.flatMap(spellings)];
};

/** Of no secrets: nothing has to be gone through. */
export const asItIs: Redact = text => text;

/**
 * Replaces every occurrence of a secret of at least four characters by `***`. Longer secrets win; where two overlap, all
 * of both goes.
 */
export const redactor = (secrets: readonly string[]): Redact => {
  const needles = [...new Set(secrets.filter(s => s.length >= SHORTEST_SECRET).flatMap(spellings))];
  needles.sort((a, b) => b.length - a.length);
  if (needles.length === 0) return asItIs;
  return text => {
    const hits: [start: number, end: number][] = [];
    for (const needle of needles) {
      for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1))
        hits.push([at, at + needle.length]);
    }
    if (hits.length === 0) return text;
    hits.sort((a, b) => a[0] - b[0]);
    let clean = '';
    let end = 0;
    for (const [from, to] of hits) {
      if (from >= end) clean += `${text.slice(end, from)}***`;
      end = Math.max(end, to);
    }
    return clean + text.slice(end);
  };
};

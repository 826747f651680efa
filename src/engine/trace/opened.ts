/** Reads what strace wrote: which files were opened, and how. */
import { resolve } from 'node:path';

export interface Opened {
  /** Absolute. */
  readonly path: string;
  readonly how: 'read' | 'list' | 'write' | 'run';
}

//   openat(AT_FDCWD</tmp>, "a.txt", O_RDONLY|O_CLOEXEC) = 3</tmp/a.txt>
//   execve("/usr/bin/cat", ["cat", "a.txt"], 0x7ffd /* 5 vars */) = 0
const CALL =
  /^(\w+)\((?:(?:AT_FDCWD|\d+)<((?:[^<>\\]|\\.)*)>, )?"((?:[^"\\]|\\.)*)"(?:\.\.\.)?, (.*)\) += \d+(?:<((?:[^<>\\]|\\.)*)>)?/;

/** Calls that failed opened nothing. `folder` is where relative names begin, where strace does not say. */
export const openedIn = (text: string, folder: string): Opened[] =>
  text.split('\n').flatMap((line): Opened[] => {
    const call = CALL.exec(line);
    if (!call) return [];
    const [, name = '', at, asked = '', rest = '', got] = call;
    const path = got === undefined ? resolve(at === undefined ? folder : plain(at), plain(asked)) : plain(got);
    if (name.startsWith('exec')) return [{ path, how: 'run' }];
    // Neither its content nor its names can be read that way.
    if (/\bO_PATH\b/.test(rest)) return [];
    if (name === 'creat' || /\bO_(WRONLY|RDWR|CREAT|TRUNC)\b/.test(rest)) return [{ path, how: 'write' }];
    return [{ path, how: /\bO_DIRECTORY\b/.test(rest) ? 'list' : 'read' }];
  });

const LETTERS: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12, '"': 34, '\\': 92 };

/** A text without C's escapes, which stand for bytes. */
const plain = (text: string): string => {
  if (!text.includes('\\')) return text;
  const bytes: number[] = [];
  for (const [, octal, letter, other] of text.matchAll(/\\([0-7]{1,3})|\\(.)|([^\\]+)/g)) {
    if (other !== undefined) bytes.push(...Buffer.from(other));
    else bytes.push(octal === undefined ? (LETTERS[letter!] ?? letter!.charCodeAt(0)) : Number.parseInt(octal, 8));
  }
  return Buffer.from(bytes).toString();
};

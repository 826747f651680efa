/** Pages as a scraper leaves them: Markdown with links, code, tables, HTML and boilerplate, the same on every machine. */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { drawing } from '../../stages/transforms/near-dedup/hash.ts';

const WORDS =
  'the a of and to in is that it for with as on by this be are from or an at which can not has when used each its value ' +
  'function method object class module list string number file system memory process thread server request response error ' +
  'returns takes creates reads writes opens closes starts stops changes defines describes contains requires supports allows ' +
  'user data type name path index result argument parameter default option table column record field query schema build ' +
  'model train token layer weight gradient batch step loss rate sample sequence length large small new old fast slow first ' +
  'last common simple possible available different several many most some other same next following given called known';
const words = WORDS.split(' ');

/** Bytes of a page, about. */
const PAGE = 2600;

const SIDE = [
  '[Home](/) | [Docs](/docs) | [Blog](/blog)',
  'Previous: [Install](/install) - Next: [Usage](/usage)',
  'Copyright 2024 The Authors. All rights reserved.',
  'Click here to download the PDF of this page.',
  '<div class="share"><a href="#">Share</a></div>',
];

/** Draws pages one after another. One sentence of ten stands in other pages too. */
export const pages = (): (() => string) => {
  const draw = drawing(7);
  const word = () => words[Math.min(draw(words.length), draw(words.length))]!;
  const common = Array.from({ length: 500 }, () => '');
  const sentence = (): string => {
    const again = draw(10) === 0 ? draw(common.length) : -1;
    if (again !== -1 && common[again] !== '') return common[again]!;
    const all = Array.from({ length: 8 + draw(14) }, word);
    all[0] = all[0]![0]!.toUpperCase() + all[0]!.slice(1);
    const at = 1 + draw(all.length - 1);
    const decorated = draw(12);
    if (decorated === 0) all[at] = `**${all[at]}**`;
    else if (decorated === 1) all[at] = `\`${all[at]}_${word()}()\``;
    else if (decorated === 2) all[at] = `[${all[at]}](https://example.org/${word()}/${draw(999)}.html)`;
    else if (decorated === 3) all[at] = `https://example.org/${word()}`;
    else if (decorated === 4) all[at] = `${word()}/${word()}.py`;
    else if (decorated === 5) all[at] = `<em>${all[at]}</em>`;
    const made = `${all.join(' ')}${draw(9) === 0 ? '?' : '.'}`;
    if (again !== -1) common[again] = made;
    return made;
  };
  const paragraph = () => Array.from({ length: 3 + draw(4) }, sentence).join(' ');
  const block = (): string => {
    switch (draw(9)) {
      case 0:
        return `\`\`\`python\n${word()} = ${word()}(${draw(99)})\nprint(${word()})\n\`\`\``;
      case 1:
        return `- ${sentence()}\n- ${sentence()}\n- ${sentence()}`;
      case 2:
        return `| ${word()} | ${word()} |\n|---|---|\n| ${draw(99)} | ${word()} |`;
      case 3:
        return `![${word()}](images/${word()}.png)\n\n${paragraph()}`;
      default:
        return paragraph();
    }
  };
  return () => {
    const parts = [SIDE[draw(SIDE.length)]!, `# ${word()} ${word()}`];
    for (let size = 0; size < PAGE; ) {
      const next = draw(5) === 0 ? `## ${word()} ${word()}` : block();
      parts.push(next);
      size += next.length;
    }
    parts.push(SIDE[draw(SIDE.length)]!);
    return parts.join('\n\n');
  };
};

/** Writes so many pages as JSON Lines, `id` and `text`; returns their bytes. */
export const writePages = async (path: string, count: number): Promise<number> => {
  const next = pages();
  const out = createWriteStream(path);
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const line = `${JSON.stringify({ id: `p${i}`, text: next() })}\n`;
    bytes += line.length;
    if (!out.write(line)) await new Promise(resolve => out.once('drain', resolve));
  }
  out.end();
  await finished(out);
  return bytes;
};

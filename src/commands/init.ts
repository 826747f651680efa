/** `finetune init`: writes a first recipe, a page to learn from and the prompts to ask, and says what to do next. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Call, ExitCode } from '../command.ts';
import { type Failure, FailureError } from '../failure.ts';
import { print, printJson } from '../views/print.ts';

export const run = async ({ names, flags }: Call): Promise<ExitCode> => {
  const folder = resolve(names[0] ?? '.');
  const files = { 'finetune.yaml': recipe(modelFrom(folder)), 'docs/example.md': PAGE, 'prompts.yaml': PROMPTS };
  const taken = Object.keys(files).filter(f => existsSync(join(folder, f)));
  if (taken.length > 0) {
    throw new FailureError(
      taken.map(
        (f): Failure => ({
          reason: 'usage',
          message: `${relative(process.cwd(), join(folder, f))} is already there; nothing was written`,
        }),
      ),
    );
  }
  const written = Object.entries(files);
  // Trained adapters are copied there; the store ignores itself.
  if (!existsSync(join(folder, '.gitignore'))) written.push(['.gitignore', '/out/\n']);
  for (const [name, text] of written) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const shown = relative(process.cwd(), folder);
  if (flags.json) printJson({ type: 'init', folder, files: written.map(([name]) => name) });
  else
    print(
      `wrote ${written.map(([name]) => name).join(', ')}${shown ? ` in ${shown}` : ''}\nnext: put your own pages into docs/, then\n  ${shown ? `cd ${shown} && ` : ''}npx finetune build`,
    );
  return 0;
};

/** The small model that comes with the package, as a path relative to the new recipe. */
const modelFrom = (folder: string): string => {
  for (const up of ['../..', '../../..']) {
    const model = fileURLToPath(new URL(`${up}/pipelines/models/tiny-chat`, import.meta.url));
    if (existsSync(model)) return relative(folder, model).split('\\').join('/') || '.';
  }
  return 'models/base';
};

const recipe = (model: string): string => `version: 1
name: my-assistant
vars: { seed: 7 }

sources:
  docs:   { uses: files, with: { paths: "docs/**/*.md", by: section } }
  base:   { uses: model, with: { path: ${JSON.stringify(model)} } }   # a folder in Hugging Face's format
transforms:
  text:   { uses: plain-text, from: docs }
  lines:  { uses: sentences, from: text }
  good:   { uses: filter, from: lines, with: { min: 30 } }
  pairs:  { uses: sentence-pairs, from: good }
  unique: { uses: dedup, from: pairs, with: { by: instruction } }
  split:  { uses: split, from: unique, with: { train: 0.8, eval: 0.2, seed: "\${vars.seed}" } }
templates:
  chat:   { uses: chat, from: { rows: split.train, model: base }, with: { format: harmony, max_tokens: 512 } }
  held:   { uses: chat, from: { rows: split.eval, model: base }, with: { format: harmony, max_tokens: 512 } }
trainer:
  adapter:
    uses: lora
    from: { model: base, train: chat }
    with: { r: 8, alpha: 16, steps: 20, batch: 8, lr: 1e-3 }
evaluators:
  loss:    { uses: loss, from: { model: base, adapter: adapter, rows: held } }
  answers: { uses: generate, from: { model: base, adapter: adapter }, with: { prompts: prompts.yaml, max_tokens: 60 } }
`;

const PAGE = `# The coffee machine

Our coffee machine stands in the kitchen on the second floor. It makes espresso, filter coffee and hot water for tea. The
machine belongs to everyone in the house, so leave it as you would like to find it.

## Making a cup

Fill the tank with fresh water before you press the button. The green lamp stops blinking when the water is hot enough.
Put your cup under the left outlet for espresso. Put it under the right outlet for filter coffee. A cup of filter
coffee takes about two minutes. The machine rinses itself when it has not been used for an hour.

## Hot water for tea

Hot water comes out of the small outlet in the middle. Turn the wheel on the right side of the machine slowly. The water
has ninety degrees, which is right for black tea. Wait two minutes before you use it for green tea. Close the wheel
again before you take the cup away.

## Beans

The beans are in the cupboard above the machine. Fill the beans into the container on top of the machine. The container
holds beans for about thirty cups. Close the lid well, because the beans lose their taste in the open air. Write the
word beans on the list at the door when the last bag is opened.

## Cleaning

Empty the tray under the outlets every evening. The tray is full when the red float is visible. Wash the tray with warm
water and without soap. The machine asks for a cleaning tablet after two hundred cups. Put the tablet into the small
drawer on the right side. The cleaning takes ten minutes and must not be interrupted.

## The water tank

The water tank is behind the cover on the left side. Pull the tank up to take it out of the machine. Fill the tank with
cold water up to the line. The machine does not start when the tank is not in its place. Wash the tank once a week.

## When something is wrong

A blinking red lamp means that the water tank is empty. Two blinking lamps mean that the drawer is not closed. Switch the
machine off and on again when all lamps blink. Call the number on the side of the machine if that does not help. Please
write on the list at the door what has happened. The list helps the technician to find the fault.

## The list at the door

The list at the door is for everything that the machine needs. Write the date, your name and one line about the matter.
The office buys beans and tablets every Monday. The technician comes on the first Friday of the month. Cross a line out
when the matter is done.
`;

const PROMPTS = `- How do I make a cup of coffee?
- What does a blinking red lamp mean?
`;

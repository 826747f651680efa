/** Transform `check`: looks whether the rows keep the recipe's rules, and fails or warns where too few do. */
import type { CheckStage, Setup } from '../contract.ts';
import { type Look, looksOf } from './check/look.ts';
import { type Options, rulesOf } from './check/rules.ts';
import { report, verdict } from './check/verdict.ts';

export type { Options } from './check/rules.ts';

export default {
  kind: 'check',
  setup: ({ options }: Setup<Options>): Promise<readonly Look[]> => looksOf(rulesOf(options)),
  rules: options => rulesOf(options).map(({ compares, marks }) => ({ compares, marks })),
  look: (row, looks) => looks.map(look => look(row.fields)),
  keeps: options => options.failing === 'keep',
  report,
  verdict,
} satisfies CheckStage<Options, readonly Look[]>;

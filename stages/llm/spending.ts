/** What asking has cost, in words. */

export interface Prices {
  /** Of a million tokens. */
  readonly input: number;
  readonly output: number;
  readonly currency: string;
}

type Counts = Readonly<Record<string, number>>;

/** "12,345 + 678 tokens, $0.0023": in, out, and what that is in money where the prices are known. */
export const spending = ({ input_tokens: input = 0, output_tokens: output = 0 }: Counts, prices?: Prices): string => {
  if (input + output === 0) return '';
  const tokens = `${thousands(input)} + ${thousands(output)} tokens`;
  if (!prices) return tokens;
  const cost = (input * prices.input + output * prices.output) / 1e6;
  return `${tokens}, ${prices.currency}${cost.toFixed(cost < 1 ? 4 : 2)}`;
};

/** "20 asked, 12,345 + 678 tokens": what this build had to ask for; all else was known. */
export const asking = (counts: Counts, prices?: Prices): string => {
  const { asked = 0 } = counts;
  const more = spending(counts, prices);
  return asked === 0 ? 'nothing asked' : `${thousands(asked)} asked now${more === '' ? '' : `, ${more}`}`;
};

const thousands = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

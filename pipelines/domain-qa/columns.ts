/** A stage of the recipe's own: takes the role before each column off, as "user: How do I …" has it. */
export const kind = 'rows';

interface Ticket {
  readonly input: string;
  readonly output: string;
}

export default ({ input, output }: Ticket) => ({
  input: input.replace(/^user:\s*/, '').trim(),
  output: output.replace(/^assistant:\s*/, '').trim(),
});

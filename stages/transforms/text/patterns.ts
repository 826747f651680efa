/** Regular expressions of a recipe. */
import { StageError } from '../../contract.ts';

/** One pattern, or a list of them. Error `invalid-pattern`, with the option's name and what is wrong. */
export const patternsOf = (
  option: string,
  patterns: string | readonly string[] | undefined,
  flags: string,
): readonly RegExp[] =>
  [patterns ?? []].flat().map(pattern => {
    try {
      return new RegExp(pattern, flags);
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : String(error);
      throw new StageError(
        'invalid-pattern',
        `${option}: ${JSON.stringify(pattern)} is no regular expression: ${why}`,
        {
          advice: 'Patterns are JavaScript regular expressions with the u flag; in YAML write them in single quotes.',
        },
      );
    }
  });

/** A table of what was asked for and what was measured. */
export interface Figure {
  readonly what: string;
  /** What it may take; empty where nothing was asked for. */
  readonly budget: string;
  readonly measured: string;
}

export const printFigures = (figures: readonly Figure[]): void => {
  console.log('| what | budget | measured |\n|---|---|---|');
  for (const { what, budget, measured } of figures) console.log(`| ${what} | ${budget} | ${measured} |`);
};

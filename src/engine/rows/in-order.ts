/** Runs jobs side by side and takes their results in order; a few may be done ahead of the one whose turn it is. */

export const inOrder = async <T>(
  jobs: readonly (() => Promise<T>)[],
  lanes: number,
  take: (result: T, index: number) => void,
): Promise<void> => {
  const done = new Map<number, T>();
  let next = 0;
  let taken = 0;
  /** The first in order of the jobs that failed: it is told, however many lanes there are. */
  let failed = Number.POSITIVE_INFINITY;
  let failure: unknown;
  let wake: (() => void)[] = [];
  const ahead = lanes * 3;
  const lane = async (): Promise<void> => {
    while (next < jobs.length && failed === Number.POSITIVE_INFINITY) {
      if (next >= taken + ahead) {
        await new Promise<void>(resolve => wake.push(resolve));
        continue;
      }
      const index = next++;
      try {
        done.set(index, await jobs[index]!());
        for (; done.has(taken); taken++) {
          take(done.get(taken)!, taken);
          done.delete(taken);
        }
      } catch (error) {
        if (index < failed) [failed, failure] = [index, error];
      }
      const sleepers = wake;
      wake = [];
      for (const w of sleepers) w();
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, jobs.length) }, lane));
  if (failed < Number.POSITIVE_INFINITY) throw failure;
};

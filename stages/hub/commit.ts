/** Which commit a node's revision means: what the lock file says, else what the Hub says now. */
import type { WholeContext } from '../contract.ts';
import { COMMIT, type Repository } from './repository.ts';

/** The commit is noted for the lock file under the repository and what was asked for. */
export const pinnedCommit = async (
  { origins, origin, refresh }: Pick<WholeContext<unknown>, 'origins' | 'origin' | 'refresh'>,
  repository: Repository,
  revision: string,
): Promise<string> => {
  const name = `${repository.name}@${revision}`;
  const known = refresh ? undefined : origins[name];
  // The lock file is edited by people, and merged.
  const commit = known && COMMIT.test(known) ? known : await repository.commitOf(revision);
  origin(commit === revision ? repository.name : name, commit);
  return commit;
};

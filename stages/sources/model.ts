/** Source `model`: a local model folder, or a model of the Hugging Face Hub at one commit, checked to be whole. */
import type { ModelOptions } from '../../schemas/types.ts';
import type { WholeContext, WholeStage } from '../contract.ts';
import { checkModel } from './model/check.ts';

export type Options = ModelOptions;

const run = async (context: WholeContext<Options>): Promise<void> => {
  const { options, files } = context;
  if (options.hub === undefined) return checkModel(files.path ?? [], options.path ?? '.');
  const { bringModel } = await import('../hub/model.ts');
  const { folder, files: brought } = await bringModel(context, options.hub);
  await checkModel(brought, options.hub);
  context.model('model', folder);
};

export default { kind: 'whole', runs: 'main', run } satisfies WholeStage<Options>;

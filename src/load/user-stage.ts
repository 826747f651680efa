/** A stage of the user's own: its file found, its code digested, its options' schema taken from what it exports. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type StageSchema, stageSchema } from '../stages.ts';
import { schemaMistake } from './check.ts';
import { describeStage } from './described.ts';
import type { EntryContext, Found } from './entry.ts';
import { readUserCode, userModule } from './user-code.ts';

/** Null when it cannot be used: `fail` has been told. */
export const userStage = async (
  uses: string,
  { section, name, folder, place, fail }: EntryContext,
): Promise<Found | null> => {
  const at = place([section, name, 'uses']);
  const entry = resolve(folder, uses);
  if (section !== 'transforms') {
    fail({
      reason: 'unknown-stage',
      message: `a file of your own can be a transform, not one of ${section}`,
      place: at,
    });
    return null;
  }
  if (!existsSync(entry)) {
    fail({ reason: 'file-missing', message: `there is no file ${uses}`, place: at });
    return null;
  }
  const code = await readUserCode(entry, uses);
  if ('reason' in code) {
    fail(code);
    return null;
  }
  const module = userModule(entry, code);
  const described = await describeStage(module, uses);
  if ('mistake' in described) {
    fail({ reason: 'user-stage', message: `${uses} cannot be used: ${described.mistake}`, place: at });
    return null;
  }
  const own = (described.options ?? { type: 'object' }) as Partial<StageSchema>;
  const mistake = typeof own !== 'object' ? 'it is not an object' : schemaMistake(own);
  if (mistake) {
    fail({
      reason: 'user-stage',
      message: `${uses}: its export "options" is not a JSON Schema: ${mistake}`,
      place: at,
    });
    return null;
  }
  if (own.properties?.env) {
    const message = `${uses}: its export "options" has "env", which every stage has: the environment of its process`;
    fail({ reason: 'user-stage', message, place: at, advice: 'call it something else' });
    return null;
  }
  const { default: _, ...env } = stageSchema('transforms', 'command').properties!.env!;
  const schema = {
    ...own,
    properties: { ...own.properties, env },
    title: uses,
    description: '',
    stage: { version: 0, inputs: { rows: { type: 'rows' } }, outputs: { rows: 'rows' }, default: 'rows' },
  } as StageSchema;
  const { says } = described;
  return { stage: uses, module, version: code.digest, environment: code.environment, code: code.files, schema, says };
};

/** Stages that ask a server have the same options for it: written out in each schema, for editors, and equal. */
import { describe, expect, test } from 'vitest';
import { type OptionSchema, stageNames, stageSchema } from '../../../src/stages.ts';

const asking = stageNames('transforms').filter(name => stageSchema('transforms', name).properties?.endpoint);
const options = (name: string): Readonly<Record<string, OptionSchema>> => stageSchema('transforms', name).properties!;

const SHARED = [
  ...['endpoint', 'api_key', 'headers', 'model', 'revision', 'concurrency', 'requests_per_minute', 'tokens_per_minute'],
  ...['timeout', 'retries', 'temperature', 'top_p', 'max_tokens', 'stop', 'reasoning_effort', 'body', 'system'],
];
/** Where and how fast: never what. */
const UNKEYED = [
  ...[
    'endpoint',
    'api_key',
    'headers',
    'concurrency',
    'requests_per_minute',
    'tokens_per_minute',
    'timeout',
    'retries',
  ],
];

test('the stages that ask', () => expect(asking).toEqual(['augment', 'llm-map', 'sample-check', 'semantic-dedup']));

describe.each(asking)('%s', name => {
  test('has the options of llm-map', () => {
    const own = options(name);
    for (const option of SHARED) {
      if (name === 'semantic-dedup' && (!own[option] || option === 'endpoint' || option === 'max_tokens')) continue;
      expect(own[option], option).toEqual(options('llm-map')[option]);
    }
  });

  test('keeps secrets secret, and out of the key what does not change an answer', () => {
    const own = options(name);
    expect(own.api_key).toMatchObject({ secret: true });
    expect(own.headers!.additionalProperties).toMatchObject({ secret: true });
    expect(own.endpoint).toMatchObject({ elsewhere: true });
    const unkeyed = Object.entries(own).flatMap(([option, { unkeyed: is }]) => (is ? [option] : []));
    expect(unkeyed.filter(o => o !== 'batch').toSorted()).toEqual(UNKEYED.toSorted());
  });
});

import { describe, expect, test } from 'vitest';
import { cardConfigs } from '../../../stages/hub/card.ts';
import { chooseFiles } from '../../../stages/hub/layout.ts';

const choose = async (paths: readonly string[], wish: object = {}, card = '') =>
  chooseFiles(paths, await cardConfigs(card), { config: undefined, split: 'train', files: undefined, ...wish }, 'a/b');

const failure = (...of: Parameters<typeof choose>) =>
  choose(...of).then(
    () => null,
    (e: unknown) => e,
  );

describe('splits by the names of files', () => {
  test('shards in data/, of whatever splits', async () => {
    const paths = [
      'README.md',
      'data/train-00000-of-00002.parquet',
      'data/train-00001-of-00002.parquet',
      'data/test.random-00000-of-00001-a1b2.parquet',
    ];
    expect(await choose(paths)).toEqual(paths.slice(1, 3));
    expect(await choose(paths, { split: 'test.random' })).toEqual([paths[3]]);
  });

  test('folders before files, words set off by anything but letters', async () => {
    const paths = ['data/train/a.jsonl', 'data/train/test-b.jsonl', 'dev-set/c.jsonl', 'README.md', '.gitattributes'];
    expect(await choose(paths)).toEqual(paths.slice(0, 2));
    expect(await choose(paths, { split: 'validation' })).toEqual(['dev-set/c.jsonl']);
    expect(await failure(paths, { split: 'test' })).toMatchObject({
      reason: 'hub-split',
      advice: 'It has: train, validation.',
    });
  });

  test('files, where no folder says anything', async () => {
    const paths = ['my_train_file.csv', 'testfile.csv', 'x.eval.csv', 'valid2.csv'];
    expect(await choose(paths)).toEqual(['my_train_file.csv']);
    expect(await choose(paths, { split: 'test' })).toEqual(['x.eval.csv']);
    expect(await choose(paths, { split: 'validation' })).toEqual(['valid2.csv']);
  });

  test('names that say nothing are all of train', async () => {
    const paths = [
      'a.jsonl.gz',
      'sub/b.jsonl.gz',
      'config.json',
      'dataset_infos.json',
      '.hidden/c.jsonl.gz',
      '__pycache__/d.jsonl',
    ];
    expect(await choose(paths)).toEqual(['a.jsonl.gz', 'sub/b.jsonl.gz']);
    expect(await failure(paths, { split: 'test' })).toMatchObject({ advice: 'It has: train.' });
  });

  test('of several formats the one that most files have', async () => {
    expect(await choose(['a.parquet', 'b.parquet', 'a.csv'])).toEqual(['a.parquet', 'b.parquet']);
    expect(await choose(['a.parquet', 'a.csv'])).toEqual(['a.parquet']);
  });

  test('the branch that the Hub converts to has its subsets in folders', async () => {
    const paths = [
      'en/train/0000.parquet',
      'en/train/0001.parquet',
      'fr/partial-train/0000.parquet',
      'fr/test/0000.parquet',
    ];
    expect(await choose(paths, { config: 'fr', split: 'test' })).toEqual(['fr/test/0000.parquet']);
    expect(await choose(paths, { config: 'fr' })).toEqual(['fr/partial-train/0000.parquet']);
    expect(await failure(paths)).toMatchObject({ reason: 'hub-config', advice: 'Name one (config): en, fr.' });
    expect(await failure(paths, { config: 'de' })).toMatchObject({ reason: 'hub-config', advice: 'It has: en, fr.' });
  });

  test('a repository without records is told', async () => {
    expect(await failure(['README.md', 'script.py'])).toMatchObject({
      reason: 'hub-split',
      advice: expect.stringContaining('refs/convert/parquet'),
    });
  });
});

describe('splits by the card', () => {
  const card = (configs: string) => `---\nlicense: mit\nconfigs:\n${configs}\n---\n# Data\n`;
  const paths = ['a/x.jsonl', 'a/y.jsonl', 'b/z.jsonl', 'deep/er/w.jsonl', 'data.csv'];

  test('a list of splits, each a glob or some', async () => {
    const text = card(
      '- config_name: default\n  data_files:\n  - split: train\n    path: ["a/*.jsonl", "b/z.jsonl"]\n  - split: held\n    path: data.csv',
    );
    expect(await choose(paths, {}, text)).toEqual(['a/x.jsonl', 'a/y.jsonl', 'b/z.jsonl']);
    expect(await choose(paths, { split: 'held' }, text)).toEqual(['data.csv']);
    expect(await failure(paths, { split: 'test' }, text)).toMatchObject({ advice: 'It has: train, held.' });
  });

  test('subsets, of which one is the default; a glob alone is train', async () => {
    const text = card(
      '- config_name: one\n  data_files: "a/*"\n- config_name: two\n  default: true\n  data_files: "**/w.jsonl"',
    );
    expect(await choose(paths, {}, text)).toEqual(['deep/er/w.jsonl']);
    expect(await choose(paths, { config: 'one' }, text)).toEqual(['a/x.jsonl', 'a/y.jsonl']);
  });

  test('a folder of its own', async () => {
    const text = card('- config_name: x\n  data_dir: a');
    expect(await choose([...paths, 'a/test.jsonl'], { split: 'test' }, text)).toEqual(['a/test.jsonl']);
  });

  test('a card that makes no sense says nothing', async () => {
    for (const text of ['---\nconfigs: [\n---\n', 'no front matter', '---\nconfigs: 3\n---\n'])
      expect(await choose(['train.csv'], {}, text)).toEqual(['train.csv']);
  });
});

describe('files by name', () => {
  test('globs choose in their own order, folders and capitals included', async () => {
    const paths = ['data/b.jsonl', 'data/a.jsonl', 'data/sub/c.jsonl.zst', 'x.parquet'];
    expect(await choose(paths, { files: ['x.*', 'data/*.jsonl'] })).toEqual([
      'x.parquet',
      'data/b.jsonl',
      'data/a.jsonl',
    ]);
    expect(await choose(paths, { files: ['data/**'] })).toEqual(paths.slice(0, 3));
    expect(await choose(paths, { files: ['data/{a,b}.jsonl'] })).toEqual(['data/b.jsonl', 'data/a.jsonl']);
    expect(await failure(paths, { files: ['Data/*'] })).toMatchObject({
      reason: 'hub-split',
      message: 'no file of a/b matches Data/*',
    });
  });
});

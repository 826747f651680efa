/** The folder `out/`: what a trainer made, mended where people or accidents changed it. */
import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Files } from '../../cache/files.ts';
import { Store } from '../../cache/store.ts';
import { storeTree } from '../../cache/tree.ts';
import { Outs } from '../../src/engine/outs.ts';
import { project } from '../rig/project.ts';

const made = () => {
  const p = project({
    'one/adapter_config.json': '{"r":8}',
    'one/deep/weights.bin': new Uint8Array(3 << 20).map((_, i) => (i * 2654435761) >>> 13),
    'two/adapter_config.json': '{"r":16}',
  });
  mkdirSync(p.path('.finetune'), { recursive: true });
  const store = new Store(p.path('.finetune'));
  const [one, two] = [storeTree(store, p.path('one')), storeTree(store, p.path('two'))];
  store.flush();
  const restored: string[] = [];
  const place = (tree: string) =>
    new Outs(store, new Files(p.path('.finetune/files.bin')), p.path('out')).place('adapter', tree, f =>
      restored.push(f),
    );
  return { p, one, two, restored, place, store };
};

test('holds the files of the result, byte for byte', () => {
  const { p, one, restored, place, store } = made();
  place(one);
  expect(p.files('out')).toEqual(['out/adapter/adapter_config.json', 'out/adapter/deep/weights.bin']);
  expect(p.read('out/adapter/deep/weights.bin')).toBe(p.read('one/deep/weights.bin'));
  expect(restored).toEqual([]);
  store.close();
});

test('a file that was edited or lost is restored, and said so', () => {
  const { p, one, restored, place, store } = made();
  place(one);
  p.write({
    'out/adapter/adapter_config.json': '{"r":9}',
    'out/adapter/deep/weights.bin': null,
    'out/adapter/notes.txt': 'mine',
  });
  place(one);
  expect(restored).toEqual(['adapter_config.json', 'deep/weights.bin']);
  expect(p.read('out/adapter/adapter_config.json')).toBe('{"r":8}');
  expect(p.read('out/adapter/notes.txt')).toBe('mine');
  place(one);
  expect(restored.length).toBe(2);
  store.close();
});

test('a new result takes the place of an older one without a word; garbage about what lies there is no harm', () => {
  const { p, one, two, restored, place, store } = made();
  place(one);
  for (const garbage of ['null', '[]', '5', 'x']) {
    p.write({ '.finetune/outs.json': garbage });
    place(two);
    expect(p.read('out/adapter/adapter_config.json')).toBe('{"r":16}');
    place(one);
  }
  expect(restored).toEqual([]);
  store.close();
});

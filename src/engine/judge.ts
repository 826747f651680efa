/** Judges a finished node's counts: too many rejects, an empty result or an empty side fail it, cached or not. */
import { BlobReader } from '../../cache/blob.ts';
import type { NodeRecord } from '../../cache/records.ts';
import type { Store } from '../../cache/store.ts';
import type { Fields } from '../../stages/contract.ts';
import type { Failure } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { rowsSource } from './artifact.ts';
import { readChunk } from './reading.ts';

/** Null when all is well. */
export const judge = (node: GraphNode, record: NodeRecord, store: Store, recipe: string): Failure | null => {
  const show = (output: string) =>
    `look at them: npx finetune show ${node.name}.${output}${recipe === 'finetune.yaml' ? '' : ` -r ${recipe}`}`;
  const at = { place: node.place };
  const { failing } = record.outputs;
  const advice = failing?.type === 'rows' && failing.rows > 0 ? { advice: show('failing') } : {};
  if (record.failure) return { ...advice, ...record.failure, ...at };
  const { rejects = 0, seen = 0, dropped = 0 } = record.tallies;
  const { rows } = record.outputs;
  if (rejects > 0 && (rejects === seen || rejects / seen > 1 - node.mostly + 1e-9)) {
    const share = rejects === seen ? 'all' : `${percent(rejects / seen)} of`;
    return {
      reason: 'rejects',
      message: `${share} ${seen} rows were rejected${rejects === seen ? '' : `, more than the ${percent(1 - node.mostly)} that "mostly: ${node.mostly}" allows`}:${reasons(store, record, 'rejects')}`,
      advice: show('rejects'),
      ...at,
    };
  }
  if (rows?.type === 'rows' && rows.rows === 0) {
    const why =
      seen === 0
        ? 'it was given none'
        : dropped > 0
          ? `all ${seen} were dropped:${reasons(store, record, 'dropped')}`
          : `from ${seen} rows none came out`;
    const advice = dropped > 0 ? { advice: show('dropped') } : {};
    return { reason: 'empty-output', message: `${node.name} has no rows: ${why}`, ...advice, ...at };
  }
  if (!rows && node.defaultOutput === null) {
    // A record that comes from the store has its outputs in another order than one that was just made.
    const sides = Object.entries(record.outputs)
      .flatMap(([name, o]) => (o.type === 'rows' ? [[name, o.rows] as const] : []))
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    const empty = sides.find(([, n]) => n === 0);
    if (empty) {
      return {
        reason: 'empty-side',
        message: `no row went to "${empty[0]}": ${sides.map(([n, rows]) => `${n} ${rows}`).join(', ')}`,
        advice:
          'whole groups are dealt out, so few groups can leave a side empty: give it a larger share, another seed, or split by smaller groups ("by")',
        ...at,
      };
    }
  }
  return null;
};

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Where a row that never became one stood: a source's rejects carry their file and line, or address. */
const placeOf = ({ path, line, url }: Fields): string =>
  typeof path === 'string'
    ? `${path}${typeof line === 'number' ? `:${line}` : ''}: `
    : typeof url === 'string'
      ? `${url}: `
      : '';

/** The commonest reasons among the first rows of an output, digits aside, each with an example. */
const reasons = (store: Store, record: NodeRecord, output: string): string => {
  const dataset = record.outputs[output];
  if (dataset?.type !== 'rows') return '';
  const source = rowsSource(store, dataset.digest);
  if (!source) return '';
  const counts = new Map<string, { n: number; example: string }>();
  const reader = new BlobReader();
  try {
    for (let i = 0, rows = 0; i < source.chunks.length && rows < 5000; i++) {
      for (const row of readChunk(reader, source, i)) {
        rows++;
        const reason = String(row.fields.reason);
        const kind = reason.replaceAll(/\d+/g, '0');
        const seen = counts.get(kind);
        if (seen) seen.n++;
        else counts.set(kind, { n: 1, example: `${placeOf(row.fields)}${reason}` });
      }
    }
  } finally {
    reader.close();
  }
  const most = [...counts.values()].sort((a, b) => b.n - a.n).slice(0, 3);
  return most
    .map(({ n, example }) => `\n  ${n} x ${example.length > 160 ? `${example.slice(0, 157)}...` : example}`)
    .join('');
};

/** Finds the row that a person means by an id, or by a part of one that no other row has. */
import { type Failure, FailureError } from '../../failure.ts';
import { closure, type Graph } from '../../load/graph.ts';
import { nearest } from '../../load/suggest.ts';
import type { Result, Results } from './results.ts';

export interface RowAt {
  readonly output: string;
  readonly position: number;
}

/** Ids that are looked through for what was probably meant. */
const LOOKED_AT = 50_000;
const LISTED = 6;

/** The outputs that hold rows, those that go on first. */
export const rowOutputs = ({ record }: Result): string[] => {
  const all = Object.keys(record.outputs).filter(o => record.outputs[o]!.type === 'rows');
  const ends = ['dropped', 'rejects'].filter(o => all.includes(o));
  return [...all.filter(o => !ends.includes(o)), ...ends];
};

/**
 * `text` is an id, the beginning of one, or the beginning of its last part. Throws FailureError: `unknown-row`, with where a
 * row of that id ended where it did, and `ambiguous-row`.
 */
export const findRow = async (
  results: Results,
  graph: Graph,
  { result, outputs, text }: { readonly result: Result; readonly outputs: readonly string[]; readonly text: string },
): Promise<RowAt> => {
  const { name } = result.node;
  for (const output of outputs) {
    const position = results
      .rows(result, output)
      .find(new Set([text]))
      .get(text);
    if (position !== undefined) return { output, position };
  }
  const matches: (RowAt & { readonly id: string })[] = [];
  const known: string[] = [];
  let count = 0;
  for (const output of outputs) {
    for (const [id, position] of results.rows(result, output).ids()) {
      if (known.length < LOOKED_AT) known.push(id);
      if (!id.startsWith(text) && !id.slice(id.lastIndexOf('/') + 1).startsWith(text)) continue;
      count++;
      if (matches.length < LISTED) matches.push({ output, position, id });
    }
    // A row that goes on is meant rather than one that was removed.
    if (count > 0) break;
  }
  if (count === 1) return matches[0]!;
  if (count > 1) {
    const ids = matches.map(m => m.id).join(', ');
    throw failed({
      reason: 'ambiguous-row',
      message: `"${text}" stands for ${count} rows of ${name}: ${ids}${count > LISTED ? ', …' : ''}`,
      advice: 'write more of the id',
    });
  }
  const ended = await endOf(results, graph, name, text);
  if (ended) throw failed(ended);
  // Of what was cut out of a page, often only the page is typed.
  const near = nearest(
    text,
    new Set(known.flatMap(id => (id.includes('/') ? [id, id.slice(0, id.lastIndexOf('/'))] : [id]))),
  );
  throw failed({
    reason: 'unknown-row',
    message: `${name} has no row "${text}"${near === null ? '' : `; did you mean "${near}"?`}`,
    advice: `finetune show ${name}${outputs.length === 1 ? `.${outputs[0]}` : ''} lists its rows by their ids`,
  });
};

const failed = (failure: Failure): FailureError => new FailureError([failure]);

/** A node before this one that dropped or rejected a row of this id, or made others of it. */
const endOf = async (results: Results, graph: Graph, name: string, id: string): Promise<Failure | null> => {
  const message = `${name} has no row "${id}"`;
  for (const node of closure(graph, [name]).toReversed()) {
    if (node.name === name) continue;
    const result = await results.of(node.name);
    if (!result) continue;
    for (const output of rowOutputs(result)) {
      const rows = results.rows(result, output);
      const position = rows.find(new Set([id])).get(id);
      if (position === undefined) continue;
      const verb = output === 'dropped' ? 'dropped' : output === 'rejects' ? 'rejected' : null;
      const where =
        verb === null ? `${node.name} has one` : `${node.name} ${verb} it: ${rows.row(position).fields.reason}`;
      const advice = `finetune trace ${node.name} ${JSON.stringify(id)} follows it`;
      return { reason: 'unknown-row', message: `${message}; ${where}`, advice };
    }
  }
  return null;
};

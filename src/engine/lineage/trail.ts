/** The whole way of a row: back to the pages that it was read from, and forward to where it went. */
import { readFileSync } from 'node:fs';
import { FailureError } from '../../failure.ts';
import type { GraphNode } from '../../load/graph.ts';
import type { Engine } from '../engine.ts';
import { lookAtFiles } from '../inputs.ts';
import { findRow, type RowAt, rowOutputs } from './find-row.ts';
import { type LineInPage, lineInPage } from './in-page.ts';
import { keptInstead } from './kept-instead.ts';
import { origins } from './origins.ts';
import { outcomes } from './outcomes.ts';
import { primaryInput, type Result, Results } from './results.ts';
import type { Origin, Outcome, Traced } from './traced.ts';

/** Where a text stands in the page that it was read from. */
export interface PageAt extends Partial<LineInPage> {
  readonly path: string;
  readonly text: string;
  /** The file is another one since it was read, or has gone. */
  readonly changed: boolean;
}

export interface Trail {
  readonly node: string;
  readonly stage: string;
  readonly output: string;
  /** The row asked for stands in the first. */
  readonly origins: readonly Origin[];
  readonly pages: readonly PageAt[];
  readonly outcomes: readonly Outcome[];
  /** By node and id: of a row dropped as a duplicate, the one that stayed. */
  readonly kept: ReadonlyMap<string, Traced>;
}

export const keptKey = (node: string, id: string): string => `${node} ${id}`;

export interface Asked {
  readonly node: GraphNode;
  readonly output: string | null;
  readonly text: string;
  /** Of so many duplicates the row that stayed is looked for. */
  readonly most: number;
}

/** Throws FailureError: `not-built`, and those of `findRow`. */
export const trailOf = async (engine: Engine, { node, output, text, most }: Asked): Promise<Trail> => {
  const results = new Results(engine);
  try {
    const result = await results.of(node.name);
    if (!result) throw notBuilt(node.name);
    const outputs = output === null ? rowOutputs(result) : [output];
    const found = await findRow(results, engine.graph, { result, outputs, text });
    const walked = await origins(results, { result, output: found.output }, [found.position]);
    const on = await outcomes(results, engine.graph.nodes, {
      result,
      output: found.output,
      positions: [found.position],
    });
    const kept = new Map<string, Traced>();
    if (found.output === 'dropped') await keep(results, kept, result, found);
    for (const { node: name, outputs: given } of on) {
      const made = given.dropped && (await results.of(name));
      for (const { position } of (made ? given.dropped! : []).slice(0, most))
        await keep(results, kept, made!, { output: 'dropped', position });
    }
    const back = walked.map(w => w.origin);
    const pages = pagesOf(engine, back, walked.at(-1)!.result);
    return { node: node.name, stage: node.stage, output: found.output, origins: back, pages, outcomes: on, kept };
  } finally {
    results.close();
  }
};

const notBuilt = (name: string): FailureError =>
  new FailureError([{ reason: 'not-built', message: `${name} has not been built`, advice: `finetune build ${name}` }]);

const keep = async (
  results: Results,
  kept: Map<string, Traced>,
  result: Result,
  { position }: RowAt,
): Promise<void> => {
  const place = await keptInstead(results, result, position);
  if (place === null) return;
  const input = primaryInput(result)!;
  const row = results.open(input.from.node, input.digest, null).row(place);
  const dropped = results.rows(result, 'dropped').row(position);
  kept.set(keptKey(result.node.name, dropped.id), { row, position: place, place: null });
};

/** The lines of a page in which the texts stand that were cut out of it. */
const pagesOf = (engine: Engine, back: readonly Origin[], result: Result): PageAt[] => {
  const root = back.at(-1);
  if (root?.relation !== 'read') return [];
  const { files } = JSON.parse(result.record.document) as { files: Record<string, Record<string, string>> };
  const digests = new Map(Object.values(files).flatMap(f => Object.entries(f)));
  const now = filesNow(engine, result.node);
  const cut = back.findLast(o => o.relation === 'cut') ?? back[0]!;
  return root.rows.flatMap(({ row, place }) => {
    // What was not read from a file (an address of the web) cannot be looked at again.
    if (place?.path === undefined || !digests.has(place.path)) return [];
    const { path } = place;
    const file = now.get(path);
    const changed = file === undefined || file.digest !== digests.get(path);
    const page = changed ? null : readFileSync(file.path, 'utf8');
    const mine = cut.rows.filter(c => cut === back[0] || c.row.id.startsWith(row.id));
    return mine.flatMap((c): PageAt[] => {
      const text = textOf(c);
      if (text === '') return [];
      const at = page === null ? null : lineInPage(page, text, place.line ?? 1);
      // Of a record, the line has been told already.
      return changed || (at && at.line !== place.line) ? [{ path, text, changed, ...at }] : [];
    });
  });
};

const textOf = ({ row }: Traced): string => {
  const inner =
    typeof row.fields.reason === 'string' && row.fields.row ? (row.fields.row as Traced['row']['fields']) : row.fields;
  const { text, response, instruction } = inner;
  const said = [text, response, instruction].find(v => typeof v === 'string');
  return (said as string | undefined) ?? '';
};

const filesNow = (engine: Engine, node: GraphNode): Map<string, { readonly path: string; readonly digest: string }> => {
  try {
    const all = Object.values(lookAtFiles(node, engine.graph.folder, engine.files)).flat();
    return new Map(all.map(f => [f.name, f]));
  } catch (error) {
    // A file that has gone is told as changed.
    if (error instanceof FailureError) return new Map();
    throw error;
  }
};

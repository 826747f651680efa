/** The results that lineage walks over: what each node's last run gave, and of what. */
import { BlobCorrupt, BlobReader } from '../../../cache/blob.ts';
import type { NodeRecord } from '../../../cache/records.ts';
import type { Store } from '../../../cache/store.ts';
import type { Stage } from '../../../stages/contract.ts';
import { fail } from '../../failure.ts';
import type { GraphNode, Reference } from '../../load/graph.ts';
import { stageOf } from '../../stages.ts';
import type { Engine } from '../engine.ts';
import { listNames } from '../inputs.ts';
import { type Alignment, decodeAlignment } from '../rows/alignment.ts';
import { primaryPort } from '../rows/run-rows.ts';
import { StoredRows } from './stored-rows.ts';

/** A dataset that went into a node. */
export interface InputRows {
  readonly port: string;
  readonly from: Reference;
  /** Content digest of the dataset. */
  readonly digest: string;
  /** What its row ids begin with behind it: `lines/`, or nothing. */
  readonly prefix: string;
}

export interface Result {
  readonly node: GraphNode;
  readonly record: NodeRecord;
  /** Rows that went in, by port, in order. */
  readonly inputs: readonly InputRows[];
  /** How outputs lie beside the input, where rows are the unit. */
  readonly alignment: Alignment | null;
}

/** The rows that a stage looks at one after another: of these the alignment speaks. */
export const primaryInput = ({ node, inputs }: Result): InputRows | undefined => {
  const port = primaryPort(node);
  return inputs.find(i => i.port === port);
};

export class Results {
  readonly #engine: Engine;
  readonly #reader = new BlobReader();
  readonly #opened = new Map<string, StoredRows>();
  readonly #found = new Map<string, Promise<Result | null>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get store(): Store {
    return this.#engine.store;
  }

  close(): void {
    this.#reader.close();
  }

  /** Where a node stands among all: after those that it depends on. */
  order(node: GraphNode): number {
    return this.#engine.graph.nodes.findIndex(n => n.name === node.name);
  }

  stage(node: GraphNode): Promise<Stage> {
    return stageOf(node);
  }

  /** What the node's last run gave; with `of`, the run whose `output` has this digest. Null when there is none any more. */
  async of(name: string, of?: { readonly output: string; readonly digest: string }): Promise<Result | null> {
    const key = `${name} ${of?.output ?? ''} ${of?.digest ?? ''}`;
    let found = this.#found.get(key);
    if (!found) this.#found.set(key, (found = this.#look(name, of)));
    return found;
  }

  /** Throws FailureError when the rows are no longer whole in the store. */
  rows({ node, record }: Pick<Result, 'node' | 'record'>, output: string): StoredRows {
    const stored = record.outputs[output];
    if (stored?.type !== 'rows') return fail('usage', `${node.name}.${output} holds no rows`);
    return this.open(node.name, stored.digest, stored.lineage);
  }

  open(name: string, digest: string, lineage: string | null): StoredRows {
    const key = `${digest} ${lineage}`;
    const known = this.#opened.get(key);
    if (known) return known;
    try {
      const rows = new StoredRows(this.#engine.store, this.#reader, digest, lineage);
      this.#opened.set(key, rows);
      return rows;
    } catch (error) {
      if (!(error instanceof BlobCorrupt)) throw error;
      return fail('not-built', `the rows of ${name} are no longer whole in the store`, {
        advice: `finetune build ${name}`,
      });
    }
  }

  async #look(name: string, of?: { readonly output: string; readonly digest: string }): Promise<Result | null> {
    const { graph, records } = this.#engine;
    const node = graph.nodes.find(n => n.name === name);
    if (!node) return null;
    const history = await records.history(graph.id, name);
    const wanted = (record: NodeRecord | null): record is NodeRecord =>
      record !== null && (!of || digestOf(record, of.output) === of.digest);
    for (const key of [history?.key, history?.previous]) {
      const record = key ? await records.get(key) : null;
      if (wanted(record)) return this.#result(node, record);
    }
    if (!of) return null;
    // A node may have been built otherwise since its result was used: then some record of its stage has it.
    for (const { record } of records.all())
      if (wanted(record) && (JSON.parse(record.document) as Document).stage === node.stage)
        return this.#result(node, record);
    return null;
  }

  #result(node: GraphNode, record: NodeRecord): Result {
    const { inputs } = JSON.parse(record.document) as Document;
    const rows = Object.entries(node.inputs).flatMap(
      ([
        port,
        {
          port: { list, type },
          from,
        },
      ]) => {
        const given = inputs[port];
        const all = Array.isArray(given) ? given : [{ name: '', content: given }];
        const names = listNames(from);
        return all.flatMap((one, i): InputRows[] => {
          // Inputs are told apart by what the record calls them, should the recipe have changed since.
          const at = list ? names.indexOf(one.name) : i;
          const reference = from[at];
          if (!reference || typeof one.content !== 'string') return [];
          const upstream = this.#engine.graph.nodes.find(n => n.name === reference.node);
          if (type !== 'rows' && upstream?.outputs[reference.output] !== 'rows') return [];
          return [{ port, from: reference, digest: one.content, prefix: list ? `${one.name}/` : '' }];
        });
      },
    );
    const bytes = record.alignment === null ? null : this.#engine.store.read(record.alignment);
    return { node, record, inputs: rows, alignment: bytes && decodeAlignment(bytes) };
  }
}

interface Document {
  readonly stage: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

const digestOf = (record: NodeRecord, output: string): string | null => {
  const stored = record.outputs[output];
  return stored?.type === 'rows' ? stored.digest : null;
};

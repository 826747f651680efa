/** `finetune graph`: the graph as text, Mermaid or Graphviz. */
import { type Call, type ExitCode, usage } from '../command.ts';
import { loadGraph } from '../engine/engine.ts';
import type { Graph, GraphNode } from '../load/graph.ts';
import { didYouMean } from '../load/suggest.ts';
import { columns, print, printJson } from '../views/print.ts';

const FORMATS: Readonly<Record<string, (graph: Graph) => string>> = {
  text: graph =>
    columns(
      ['node', 'section', 'uses', 'from'],
      graph.nodes.map(n => [
        n.name,
        n.section,
        n.uses,
        sources(n)
          .map(s => (s.port ? `${s.port}: ${s.label}` : s.label))
          .join(', '),
      ]),
    ),
  mermaid: graph =>
    [
      'flowchart LR',
      ...graph.nodes.map(n => `  ${id(n.name)}["${n.name}<br/><small>${n.uses.replaceAll('"', '&quot;')}</small>"]`),
      ...edges(graph).map(e => `  ${id(e.from)} -->${e.label ? `|${e.label}|` : ''} ${id(e.to)}`),
    ].join('\n'),
  dot: graph =>
    [
      'digraph finetune {',
      '  rankdir=LR; node [shape=box];',
      ...graph.nodes.map(n => `  ${q(n.name)} [label=${q(`${n.name}\n${n.uses}`)}];`),
      ...edges(graph).map(e => `  ${q(e.from)} -> ${q(e.to)}${e.label ? ` [label=${q(e.label)}]` : ''};`),
      '}',
    ].join('\n'),
};

export const run = async ({ flags, env }: Call): Promise<ExitCode> => {
  const format = flags.format ?? 'text';
  const draw = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (!draw) throw usage(`there is no format "${flags.format}"${didYouMean(flags.format!, Object.keys(FORMATS))}`);
  const { graph } = await loadGraph({ recipe: flags.recipe, profiles: flags.profile, set: flags.set, env });
  if (flags.json) {
    for (const n of graph.nodes)
      printJson({
        type: 'node',
        name: n.name,
        section: n.section,
        uses: n.uses,
        ...(n.variant ? { variant: n.variant } : {}),
        options: n.options,
        from: sources(n).map(({ port, label }) => ({ port, from: label })),
        outputs: n.outputs,
      });
  } else print(draw(graph));
  return 0;
};

/** Mermaid takes few signs in a node's name: those of a variant's become their code points. */
const id = (name: string): string => name.replaceAll(/[^\w-]/gu, c => `_${c.codePointAt(0)!.toString(16)}_`);

const q = (text: string): string => JSON.stringify(text);

/** Where a node's inputs come from; the port is said only where the stage has several. */
const sources = (node: GraphNode): { port: string | null; node: string; label: string; output: string }[] => {
  const ports = Object.entries(node.inputs);
  return ports.flatMap(([port, { from }]) =>
    from.map(r => ({
      port: ports.length > 1 ? port : null,
      node: r.node,
      output: r.output,
      label: isPlain(r.output) ? r.node : `${r.node}.${r.output}`,
    })),
  );
};

const edges = (graph: Graph): { from: string; to: string; label: string }[] =>
  graph.nodes.flatMap(n =>
    sources(n).map(s => ({ from: s.node, to: n.name, label: isPlain(s.output) ? '' : s.output })),
  );

const isPlain = (output: string): boolean => ['rows', 'model', 'adapter'].includes(output);

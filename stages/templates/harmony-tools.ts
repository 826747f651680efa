/** The parts of Harmony's developer message that say which functions there are and how an answer must look. */
import type { ChatOptions } from './options.ts';
import { publishedFunction } from './published-types.ts';
import type { FunctionTool, ResponseFormat } from './tools.ts';
import { typescriptType } from './typescript-types.ts';

/** Lines as Rust's `str::lines` gives them: a last line break opens none. */
const lines = (text: string): string[] => {
  const all = text.split(/\r?\n/);
  if (all.at(-1) === '') all.pop();
  return all;
};

const functionLines = ({ name, description = '', parameters }: FunctionTool): string[] => [
  ...lines(description).map(line => `// ${line}`),
  `type ${name} = ${parameters === undefined ? '()' : `(_: ${typescriptType(parameters, '')})`} => any;\n`,
];

/** `# Tools`, with the functions as a namespace of TypeScript-like types. */
export const toolsSection = (tools: readonly FunctionTool[], dialect: ChatOptions['dialect']): string => {
  if (dialect === 'hf') {
    const all = tools.map((tool, i) => publishedFunction(tool, `tools[${i}]`)).join('');
    return `# Tools\n\n## functions\n\nnamespace functions {\n\n${all}} // namespace functions`;
  }
  const all = [
    '## functions\n',
    'namespace functions {\n',
    ...tools.flatMap(functionLines),
    '} // namespace functions',
  ];
  return `# Tools\n\n${all.join('\n')}`;
};

/** `# Response Formats`, as Harmony's guide has it at the end of the developer message: the schema as compact JSON. */
export const responseFormatSection = ({ name, description, schema }: ResponseFormat): string =>
  `# Response Formats\n\n## ${name}\n\n${description === undefined ? '' : `// ${description}\n`}${JSON.stringify(schema)}`;

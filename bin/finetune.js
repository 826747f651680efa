#!/usr/bin/env node
/**
 * The command `finetune`: checks Node's version, turns on its compile cache, and hands over to the command line. In a
 * clone that is TypeScript run as it is; in the published package, what was compiled from it.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 22)) {
  const { existsSync } = await import('node:fs');
  const clone = existsSync(new URL('../src/cli.ts', import.meta.url));
  const how = clone ? 'npm ci brings it: run npm ci, then npx finetune' : 'npm install --save-dev node@22 brings one along for npx finetune';
  process.stderr.write(`finetune needs Node 22.22 or newer; this is ${process.versions.node}\n  ${how}\n`);
  process.exit(2);
}
// Node 22 calls its SQLite and type stripping experimental at every start.
const warn = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  const type = typeof rest[0] === 'string' ? rest[0] : rest[0]?.type;
  if (type !== 'ExperimentalWarning') warn(warning, ...rest);
};
// What no part of the program expected is a bug, of ours or of a stage's code: said in a line, its stack on demand.
const broken = error => {
  const text = String(error?.message ?? error).split('\n')[0];
  process.stderr.write(`finetune broke: ${text}\n  ${process.env.FINETUNE_DEBUG ? (error?.stack ?? '') : 'FINETUNE_DEBUG=1 shows where; what is finished is kept'}\n`);
  process.exit(1);
};
process.on('uncaughtException', broken);
process.on('unhandledRejection', broken);
// Not by import, which fills in every export first, and so loads streams and promises at each start.
const { existsSync } = process.getBuiltinModule('node:fs');
process.getBuiltinModule('node:module').enableCompileCache();

const source = new URL('../src/cli.ts', import.meta.url);
const { main } = await import(existsSync(source) ? source.href : new URL('../dist/src/cli.js', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2)).catch(broken);

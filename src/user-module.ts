/** Imports a user's TypeScript file as the ES module that it is, whatever the `type` in the package.json above it. */
import * as nodeModule from 'node:module';

let hooked = false;

/** `npm init` writes `"type": "commonjs"`, under which Node would read `export` in a .ts file as a mistake. */
const hook = (): void => {
  if (hooked || typeof nodeModule.registerHooks !== 'function') return;
  hooked = true;
  nodeModule.registerHooks({
    // What it imports is loaded anew with it: one process may run several states of the code, one after another.
    resolve: (specifier, context, next) => {
      const found = next(specifier, context);
      const state = /\?v=\w+(?=#user$)/.exec(context.parentURL ?? '')?.[0];
      if (state === undefined || !/^\.{1,2}\//.test(specifier)) return found;
      return { ...found, url: `${found.url}${state}#user` };
    },
    load: (url, context, next) => {
      const ours = /\.ts(?:[?#]|$)/.test(url) && !url.includes('/node_modules/');
      return next(url, ours ? { ...context, format: 'module-typescript' } : context);
    },
  });
};

export const importUserModule = async (module: string): Promise<Record<string, unknown>> => {
  hook();
  return (await import(module)) as Record<string, unknown>;
};

/** Secrets of a node's options: put in place only when its stage runs. */
import { FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { isSecret } from '../load/interpolate.ts';

/** The environment variables that a node's secrets name. */
export const secretNames = (node: GraphNode): string[] => {
  const found: string[] = [];
  const walk = (v: unknown): void => {
    if (isSecret(v)) found.push(v.$secret);
    else if (typeof v === 'object' && v !== null) Object.values(v).forEach(walk);
  };
  walk(node.options);
  return found;
};

/** Their values, of those that are set. */
export const secretValues = (node: GraphNode, env: NodeJS.ProcessEnv): string[] =>
  secretNames(node).flatMap(name => env[name] || []);

/** The options with the secrets in place. Throws FailureError when one's variable is not set. */
export const withSecrets = (node: GraphNode, env: NodeJS.ProcessEnv): unknown => {
  const fill = (v: unknown): unknown => {
    if (isSecret(v)) {
      const value = env[v.$secret];
      if (value !== undefined && value !== '') return value;
      throw new FailureError([
        {
          reason: 'secret-missing',
          message: `${node.name} needs the environment variable ${v.$secret}, which is not set`,
          place: node.place,
        },
      ]);
    }
    if (Array.isArray(v)) return v.map(fill);
    if (typeof v !== 'object' || v === null) return v;
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, fill(x)]));
  };
  return fill(node.options);
};

/** Takes secret values out of every event before it is shown. */
import type { BuildEvent } from '../events.ts';
import type { Redact } from '../redact.ts';

export { asItIs, type Redact, redactor, SHORTEST_SECRET } from '../redact.ts';

const deep = (value: unknown, redact: Redact): unknown => {
  if (typeof value === 'string') return redact(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(item => deep(item, redact));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [redact(name), deep(item, redact)]));
};

/** Fields that say which node and result is meant: from the recipe in git or from us, never from the environment. */
const IDENTITY = ['type', 'node', 'nodes', 'state', 'key', 'outputs'] as const;

/** The event with every string in it redacted, names of fields included; what identifies nodes and results stays. */
export const redactEvent = (event: BuildEvent, redact: Redact): BuildEvent => {
  const clean = deep(event, redact) as Record<string, unknown>;
  for (const field of IDENTITY) {
    if (field in event) clean[field] = (event as Readonly<Record<string, unknown>>)[field];
  }
  return clean as unknown as BuildEvent;
};

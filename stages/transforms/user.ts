/**
 * The user's own stage: a TypeScript file named in a recipe (`uses: ./my-clean.ts`) exports a default function.
 *
 *     // Each row alone: runs in parallel, and only changed rows run again.
 *     export const kind = 'rows';
 *     export default (fields, { id, parent, options }) => ({ ...fields, text: fields.text.trim() });
 *
 * It returns the row's new fields; or a list of fields, which become rows below it; `true` to keep the row, `false` or
 * `null` to drop it; `{ drop: 'why' }` or `{ reject: 'why' }`, with `transient: true` if the next build is to try again. It may
 * be async. An error that it throws rejects the row.
 *
 *     // Calls cost time or money: what each gave is kept, and found again for equal fields (so it gets no id).
 *     export const dear = true;
 *
 *     // Neighbouring rows of one parent together (the sentences of a page).
 *     export const kind = 'group';
 *     export default (rows, { parent, options }) => [{ text: rows.map(r => r.fields.text).join(' ') }];
 *
 * It returns a list: fields become new rows below the parent; a row that was given, `{ id, fields }`, stays with these fields.
 *
 *     // Everything at once: the default. Any change runs it again as a whole.
 *     export default async function* (rows, { options }) {
 *       for await (const row of rows) yield row.fields;
 *     }
 *
 * It yields or returns rows: fields, or `{ id, parent, fields }` to say the id. An error that it throws fails the node.
 *
 * `export const options = { …JSON Schema… }` describes the stage's `with`; the engine checks it and fills in defaults.
 * Fields hold what JSON can: texts, finite numbers, booleans, null, lists and plain objects of these.
 */
import {
  type Emit,
  type Fields,
  type GroupStage,
  type Row,
  type RowsInput,
  type RowsStage,
  StageError,
  type WholeContext,
  type WholeStage,
} from '../contract.ts';
import { misfit } from './user/misfit.ts';

/** `unknown` because the file is not ours: everything it gives is checked. */
type UserFunction = (input: unknown, about: unknown) => unknown;
type Options = Readonly<Record<string, unknown>>;

/** The stage that `module`, the namespace of the file `name`, describes. Throws StageError `bad-user-stage`. */
export const adapt = (module: Readonly<Record<string, unknown>>, name: string): UserStage => {
  const bad = (why: string): never => {
    throw new StageError('bad-user-stage', `${name} ${why}`, {
      place: { path: name },
      advice: "export default (fields) => ({ ...fields }), with export const kind = 'rows', is the smallest stage.",
    });
  };
  const run = module.default;
  if (typeof run !== 'function') return bad('must export a default function');
  const schema = module.options;
  if (schema !== undefined && !isObject(schema)) return bad('must export as `options` a JSON Schema (an object)');
  switch (module.kind) {
    case 'rows':
      return rowsStage(run as UserFunction, name, module.dear === true);
    case 'group':
      return groupStage(run as UserFunction, name);
    case undefined:
    case 'whole':
      return wholeStage(run as UserFunction, name);
    default:
      return bad(`exports kind ${JSON.stringify(module.kind)}: it must be 'rows', 'group' or 'whole'`);
  }
};

export type UserStage = RowsStage<Options> | GroupStage<Options> | WholeStage<Options>;

const rowsStage = (run: UserFunction, name: string, dear: boolean): RowsStage<Options> => ({
  kind: 'rows',
  dear,
  async map(row, emit, _state, options) {
    const result = await attempt(() =>
      run({ ...row.fields }, dear ? { options } : { id: row.id, parent: row.parent, options }),
    );
    if ('error' in result) return emit.reject(row, messageOf(result.error));
    const { value } = result;
    if (value === true) return emit.keep(row);
    if (value === null || value === false) return emit.drop(row, `removed by ${name}`);
    const verdict = verdictOf(value);
    if (verdict) return judge(row, verdict, emit);
    const made = Array.isArray(value) ? value : [value];
    const wrong = made.map(fields => unfit(fields)).find(w => w !== null);
    if (wrong) return emit.reject(row, `${name} returned ${wrong}`);
    if (!Array.isArray(value)) return emit.keep(row, value as Fields);
    if (made.length === 0) return emit.drop(row, `removed by ${name}: it returned an empty list`);
    for (const fields of made) emit.child(row.id, fields as Fields, { from: [row.id] });
  },
});

const groupStage = (run: UserFunction, name: string): GroupStage<Options> => ({
  kind: 'group',
  async map(rows, emit, _state, options) {
    const first = rows[0]!;
    const parent = first.parent ?? first.id;
    const rejectAll = (why: string) => {
      for (const row of rows) emit.reject(row, why);
    };
    const copies = rows.map(row => ({ ...row, fields: { ...row.fields } }));
    const result = await attempt(() => run(copies, { parent, options }));
    if ('error' in result) return rejectAll(messageOf(result.error));
    const verdict = verdictOf(result.value);
    if (verdict) {
      for (const row of rows) judge(row, verdict, emit);
      return;
    }
    const made = result.value === null ? [] : result.value;
    if (!Array.isArray(made)) return rejectAll(`${name} returned ${describe(made)}: a group's function returns a list`);
    const wrong = made.map(item => unfit(isRow(item) ? item.fields : item)).find(w => w !== null);
    if (wrong) return rejectAll(`${name} returned ${wrong}`);

    const given = new Map(rows.map(row => [row.id, row]));
    const stranger = made.find(item => isRow(item) && !given.has(item.id!));
    if (stranger)
      return rejectAll(`${name} returned the id ${JSON.stringify(stranger.id)}, which is not of this group`);
    const from = rows.map(row => row.id);
    let children = 0;
    for (const item of made as (Fields | UserRow)[]) {
      if (isRow(item)) {
        const row = given.get(item.id!);
        if (!row) return rejectAll(`${name} returned the id ${JSON.stringify(item.id)} twice`);
        given.delete(row.id);
        emit.keep(row, item.fields);
      } else {
        children++;
        emit.child(parent, item, { from });
      }
    }
    if (children === 0) for (const row of given.values()) emit.drop(row, `removed by ${name}`);
  },
});

const wholeStage = (run: UserFunction, name: string): WholeStage<Options> => ({
  kind: 'whole',
  async run(context: WholeContext<Options>) {
    const writer = context.rows('rows');
    const fail = (why: string): never => {
      throw new StageError('user-stage-failed', `${name} ${why}`, { place: { path: name } });
    };
    const ids = new Set<string>();
    let n = 0;
    const input = context.inputs.rows as RowsInput | undefined;
    const result = await attempt(() => run(input, { options: context.options, signal: context.signal }));
    if ('error' in result) throw thrown(result.error, name);
    if (!isIterable(result.value))
      return fail(`returned ${describe(result.value)}: rows, a list or a generator of them are expected`);
    const iterator = iterate(result.value);
    for (;;) {
      const step = await attempt(() => iterator.next());
      if ('error' in step) throw thrown(step.error, name);
      const { done, value } = step.value as IteratorResult<unknown>;
      if (done) return;
      context.signal.throwIfAborted();
      n++;
      const row = isRow(value) ? value : null;
      const fields = row ? row.fields : value;
      const wrong = unfit(fields);
      if (wrong) fail(`yielded ${wrong} (row ${row?.id ? JSON.stringify(row.id) : n})`);
      const parent = row?.parent ?? null;
      if (parent !== null && typeof parent !== 'string') fail(`yielded ${describe(parent)} as the parent of row ${n}`);
      if (row?.id !== undefined) {
        if (ids.has(row.id)) fail(`yielded the id ${JSON.stringify(row.id)} twice (row ${n})`);
        ids.add(row.id);
      }
      const id = row?.id ?? context.contentId(fields as Fields);
      await writer.write({ id, parent, fields: fields as Fields });
    }
  },
});

interface UserRow {
  readonly id?: string;
  readonly parent?: Row['parent'];
  readonly fields: Fields;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A row and not fields that happen to have one called `fields`: it has nothing beside `id` and `parent`. */
const isRow = (value: unknown): value is UserRow =>
  isObject(value) &&
  isObject(value.fields) &&
  Object.keys(value).every(key => key === 'id' || key === 'parent' || key === 'fields') &&
  (value.id === undefined || typeof value.id === 'string');

const isIterable = (value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);

const iterate = (value: Iterable<unknown> | AsyncIterable<unknown>): Iterator<unknown> | AsyncIterator<unknown> =>
  Symbol.asyncIterator in value ? value[Symbol.asyncIterator]() : value[Symbol.iterator]();

const verdictOf = (value: unknown): Verdict | null => {
  if (!isObject(value)) return null;
  const keys = Object.keys(value);
  if (keys.length === 2 && typeof value.reject === 'string' && typeof value.transient === 'boolean')
    return { what: 'reject', why: value.reject, transient: value.transient };
  if (keys.length !== 1) return null;
  if (typeof value.reject === 'string') return { what: 'reject', why: value.reject, transient: false };
  return typeof value.drop === 'string' ? { what: 'drop', why: value.drop } : null;
};

type Verdict =
  | { readonly what: 'drop'; readonly why: string }
  | { readonly what: 'reject'; readonly why: string; readonly transient: boolean };

const judge = (row: Row, verdict: Verdict, emit: Emit): void => {
  if (verdict.what === 'drop') emit.drop(row, verdict.why);
  else emit.reject(row, verdict.why, verdict.transient);
};

/** What is wrong with `fields`, for a message that begins "it returned"; null if nothing is. */
const unfit = (fields: unknown): string | null => {
  if (!isObject(fields)) return `${describe(fields)} where fields (an object) are expected`;
  return misfit(fields);
};

const describe = (value: unknown): string => {
  if (value === undefined) return 'nothing (undefined)';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
};

const attempt = async (call: () => unknown): Promise<{ value: unknown } | { error: unknown }> => {
  try {
    return { value: await call() };
  } catch (error) {
    return { error };
  }
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error));

/** The user's error with its line in the user's file, where the stack names it. */
const thrown = (error: unknown, name: string): Error => {
  if (error instanceof StageError) return error;
  const base = name.split('/').at(-1)!;
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const at = stack.split('\n').find(line => line.includes(`/${base}`));
  const position = at && /:(\d+):(\d+)\)?$/.exec(at);
  const place = position ? { path: name, line: Number(position[1]), column: Number(position[2]) } : { path: name };
  return new StageError('user-stage-failed', `${name} failed: ${messageOf(error)}`, { place });
};

/** One node of one build: looked up, or made and recorded, or failed with a reason. */
import { join, relative } from 'node:path';
import { baseKey } from '../../cache/bases.ts';
import { claim } from '../../cache/claims.ts';
import { canonical } from '../../cache/digest.ts';
import type { NodeRecord } from '../../cache/records.ts';
import { distrust, isDamage } from '../../cache/salvage.ts';
import type { InputFile } from '../../stages/contract.ts';
import type { BuildEvent, OutputSummary } from '../events.ts';
import { type Failure, FailureError } from '../failure.ts';
import type { GraphNode } from '../load/graph.ts';
import { type Redact, redactor } from '../redact.ts';
import { type Artifact, artifactsOf, isWhole, modelsAreSound } from './artifact.ts';
import type { BuildContext, Result } from './build.ts';
import { execute } from './execute.ts';
import { explainError } from './explain-error.ts';
import { differences, type Fingerprint, fingerprint, inWords } from './fingerprint.ts';
import { lookAtFiles } from './inputs.ts';
import { judge } from './judge.ts';
import { forgetKept, keptFolder } from './kept.ts';
import { pinnedRecord } from './lock/pinned.ts';
import { isPinned } from './lock/pins.ts';
import { NodeLog } from './node-log.ts';
import type { Outs } from './outs.ts';
import { throwUnlessAgreed } from './repeat.ts';
import { openRowMemo } from './row-memo.ts';
import { secretValues, withSecrets } from './secrets.ts';
import type { NodeSlots } from './slots.ts';
import { countRows, notes, verdict } from './tallies.ts';
import { throwIfCodeChanged, throwIfModelChanged } from './unchanged.ts';

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;

type FilesByOption = Readonly<Record<string, readonly InputFile[]>>;

/** Whether two looks found the same: then the key is the same, too. */
const isSame = (a: FilesByOption, b: FilesByOption): boolean =>
  Object.entries(a).every(([option, files]) => {
    const others = b[option]!;
    return (
      files.length === others.length &&
      files.every((f, i) => f.name === others[i]!.name && f.digest === others[i]!.digest)
    );
  });

const NOTHING = { rows: null, computed: null, artifacts: {} };

/** How often a source may change under our hands before we give up on this build. */
const TRIES = 3;

export class NodeBuild {
  readonly #c: BuildContext;
  readonly #node: GraphNode;
  readonly #inputs: Record<string, Artifact[]> = {};
  readonly #slots: NodeSlots;
  readonly #outs: Outs;
  readonly #redact: Redact;
  readonly #log: NodeLog;
  #counted: string | null = null;
  /** Gives back what this node was granted of the machine. */
  #release: () => void = () => {};
  #key: string | null = null;

  constructor(
    context: BuildContext,
    node: GraphNode,
    needs: ReadonlyMap<string, Readonly<Record<string, Artifact>>>,
    slots: NodeSlots,
    outs: Outs,
  ) {
    this.#c = context;
    this.#node = node;
    this.#slots = slots;
    this.#outs = outs;
    this.#redact = redactor(secretValues(node, context.env));
    this.#log = new NodeLog(join(context.store.folder, 'logs', `${node.name}.log`), this.#redact);
    for (const [port, { from }] of Object.entries(node.inputs)) {
      this.#inputs[port] = from.map(r => needs.get(r.node)![r.output]!);
    }
  }

  /** With `mayRewind`, a blob that could not be read is not told but named: who made it can make it again. */
  async run(mayRewind = false): Promise<Result> {
    const begun = performance.now();
    const seconds = () => (performance.now() - begun) / 1000;
    try {
      return await this.#bringUpToDate(seconds);
    } catch (error) {
      const state = this.#c.signal.aborted ? 'interrupted' : 'failed';
      if (state === 'failed') {
        const { failures, stack, corrupt } = explainError(error, this.#node);
        if (stack) this.#log.write(stack);
        if (corrupt) this.#c.store.forget(corrupt);
        else if (isDamage(error)) distrust(this.#c.store.folder);
        if (corrupt && mayRewind) return { ...NOTHING, state, key: this.#key, seconds: seconds(), lost: corrupt };
        for (const failure of failures) this.#failed(failure, seconds());
      }
      return { state, key: this.#key, seconds: seconds(), rows: null, computed: null, artifacts: {} };
    } finally {
      this.#release();
    }
  }

  async #bringUpToDate(seconds: () => number): Promise<Result> {
    const { records, store, signal, emit } = this.#c;
    const node = this.#node;
    const seen = this.#isAsked() ? null : (this.#c.looks?.(node) ?? null);
    if (seen) {
      const print = fingerprint(node, seen, this.#inputs);
      this.#key = print.key;
      const record = await this.#recorded(print);
      if (record) {
        await records.remember(this.#c.graph.id, node.name, print.key);
        return await this.#finish(record, false, seen, print.key, seconds());
      }
    }
    for (let tries = 1; ; tries++) {
      const files = lookAtFiles(node, this.#c.graph.folder, this.#c.files);
      const print = fingerprint(node, files, this.#inputs);
      this.#key = print.key;
      let record = this.#isAsked() ? null : await this.#recorded(print);
      let made = false;
      const because = record ? null : ((await this.#c.leave?.(node, print)) ?? null);
      if (because !== null) {
        emit({ type: 'skipped', node: node.name, because });
        return { state: 'skipped', key: print.key, seconds: 0, rows: null, computed: null, artifacts: {} };
      }
      if (!record) {
        await throwUnlessAgreed(this.#c, node, print);
        const release = await claim(store, print.key, signal, () =>
          emit({ type: 'warn', node: node.name, message: 'another build is making this; waiting for it' }),
        );
        try {
          record = this.#isAsked() ? null : await this.#recorded(print);
          if (!record) {
            record = await this.#make(print, files);
            if (!record) {
              if (tries < TRIES) continue;
              throw new FailureError([
                {
                  reason: 'input-changed',
                  message: `its files changed while they were read, ${TRIES} times`,
                  advice: 'build again when they are at rest',
                  place: node.place,
                },
              ]);
            }
            made = true;
          }
        } finally {
          release();
        }
      }
      if (!made) await records.remember(this.#c.graph.id, node.name, print.key);
      // A node that was made took what its run took: not what it waited for.
      return await this.#finish(record, made, files, print.key, made ? record.seconds : seconds());
    }
  }

  /** Whether it is to run though it has been made. */
  #isAsked(): boolean {
    return this.#c.force.has(this.#node.name) || (this.#c.refresh?.has(this.#node.name) ?? false);
  }

  async #recorded(print: Fingerprint): Promise<NodeRecord | null> {
    const { store, records, pinned, locked } = this.#c;
    const record = await records.get(print.key);
    const pins = pinned?.(print.key);
    const sound = (r: NodeRecord): NodeRecord | null => (modelsAreSound(store, r, this.#c.files) ? r : null);
    const found = pins ? pinnedRecord({ store, node: this.#node, print, pins }, record) : null;
    if (found && found !== record) await records.publish(print.key, found, 'forced');
    if (found || (pins && locked)) return found && sound(found);
    // Rows that failed for a while (a server that did not answer) are tried again.
    if (!record || (record.tallies.again ?? 0) > 0) return null;
    return isWhole(store, record) ? sound(record) : null;
  }

  /** Runs the stage and publishes its record; null when an input file changed under it. */
  async #make(print: Fingerprint, files: Readonly<Record<string, readonly InputFile[]>>): Promise<NodeRecord | null> {
    const { store, records, pool, signal, emit, env } = this.#c;
    const node = this.#node;
    const { name } = node;
    const last = await records.history(this.#c.graph.id, name);
    const why = await this.#why(last?.key ?? null, print);
    // The key does not know in which order options were written, so no stage may see it.
    const options: unknown = JSON.parse(canonical(withSecrets(node, env)));
    const before = this.#c.files.states(Object.values(files).flat());
    const warnings: string[] = [];
    const warn = (line: string): void => {
      warnings.push(this.#redact(line));
      this.#log.write(`warning: ${line}`);
      emit({ type: 'warn', node: name, message: line });
    };
    this.#release();
    const { threads, gpus, release } = await this.#slots.grant(signal);
    this.#release = release;
    const begun = performance.now();
    const memo = openRowMemo(store.folder, warn, this.#c.force.has(name));
    const traced = this.#c.trace?.begin(node);
    const kept = keptFolder(store, this.#c.graph.id, node);
    try {
      if (this.#c.force.has(name)) forgetKept(store, kept);
      throwIfModelChanged(node, this.#inputs, this.#c.files);
      emit({ type: 'start', node: name, why });
      const done = await this.#whileFilesRest(before, () =>
        execute({
          node,
          tracer: traced?.tracer ?? [],
          key: print.key,
          document: print.document,
          fresh: this.#c.force.has(name),
          refresh: this.#c.refresh?.has(name) ?? false,
          kept,
          origins: this.#c.origins?.(name, print.key) ?? {},
          look: path => this.#c.files.look(path),
          base: async of => {
            const base = this.#c.force.has(name)
              ? null
              : baseKey(store.db, { print: of, recipe: this.#c.graph.id, node: name });
            return base === null ? null : records.get(base);
          },
          memo,
          options,
          secrets: secretValues(node, env),
          files,
          inputs: this.#inputs,
          store,
          pool,
          threads,
          gpus,
          signal,
          progress: (d, total, unit, note) =>
            emit({ type: 'progress', node: name, done: d, total, unit, ...(note === undefined ? {} : { note }) }),
          measure: values => emit({ type: 'measure', node: name, values }),
          log: line => this.#log.write(line),
          warn,
        }),
      );
      if (!done) return null;
      this.#counted = done.counted;
      signal.throwIfAborted();
      try {
        traced?.check({ store: store.folder, files, inputs: this.#inputs });
      } catch (error) {
        // What an earlier build recorded under this key was made in the same way.
        await records.forget(print.key);
        throw error;
      }
      // An input edited while the stage ran poisons nothing: its result belongs to no key.
      const look = lookAtFiles(node, this.#c.graph.folder, this.#c.files);
      if (!isSame(files, look) && fingerprint(node, look, this.#inputs).key !== print.key) return null;
      // One that was edited and put back is as it was, but what the stage read may be what it was in between.
      if (this.#c.files.states(Object.values(look).flat()) !== before) return null;
      throwIfCodeChanged(node, this.#c.files);
      throwIfModelChanged(node, this.#inputs, this.#c.files);
      const { rows } = done.outputs;
      const { warnings: seen, ...judged } = verdict(
        done.stage,
        done.tallies,
        options,
        rows?.type === 'rows' ? rows.rows : 0,
      );
      for (const line of seen) warn(line);
      const record: NodeRecord = {
        document: print.document,
        outputs: done.outputs,
        alignment: done.alignment,
        seconds: round((performance.now() - begun) / 1000),
        made: Math.floor(Date.now() / 1000),
        computed: Object.values(node.outputs).includes('rows') ? done.computed : null,
        tallies: done.tallies,
        warnings,
        ...(Object.keys(done.origins).length > 0 ? { origins: done.origins } : {}),
        ...judged,
      };
      this.#throwUnlessPinned(print, record);
      const of = { print: done.print, recipe: this.#c.graph.id, node: name };
      return await records.publish(print.key, record, this.#isAsked() ? 'forced' : true, of);
    } finally {
      traced?.close();
      memo.close();
    }
  }

  /** What is made again although its result is pinned must come out so, where nothing may be pinned anew. */
  #throwUnlessPinned({ key }: Fingerprint, record: NodeRecord): void {
    const pins = this.#c.pinned?.(key);
    if (!this.#c.locked || !pins || isPinned(record, pins)) return;
    throw new FailureError([
      {
        reason: 'lock-drift',
        message: `what ${this.#node.name} got now is not what the lock file pins`,
        advice: 'build without --locked, and commit the lock file',
        place: this.#node.place,
      },
    ]);
  }

  /** Runs it; null if it failed while files changed under it: then it is those that it failed of. */
  async #whileFilesRest<T>(before: string, run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch (error) {
      if (this.#c.signal.aborted || before === '') throw error;
      let now: string;
      try {
        const look = lookAtFiles(this.#node, this.#c.graph.folder, this.#c.files);
        now = this.#c.files.states(Object.values(look).flat());
      } catch {
        throw error;
      }
      if (now === before) throw error;
      return null;
    }
  }

  async #why(lastKey: string | null, print: Fingerprint): Promise<string> {
    if (this.#c.force.has(this.#node.name)) return 'forced';
    if (this.#isAsked()) return 'asked for again';
    if (lastKey === null) return 'never built';
    const last = await this.#c.records.get(lastKey);
    if (!last || lastKey === print.key) return 'its result is no longer in the store';
    const all = differences(last.document, print.document);
    return all.length === 0
      ? 'never built'
      : `${inWords(all[0]!)}${all.length > 1 ? ` (+${all.length - 1} more)` : ''}`;
  }

  async #finish(
    record: NodeRecord,
    made: boolean,
    files: Readonly<Record<string, readonly InputFile[]>>,
    key: string,
    seconds: number,
  ): Promise<Result> {
    const { store, emit } = this.#c;
    const node = this.#node;
    const failure = judge(node, record, store, relative(process.cwd(), this.#c.graph.path));
    if (failure) {
      this.#failed(failure, seconds);
      return { state: 'failed', key, seconds, rows: null, computed: null, artifacts: {} };
    }
    if (!made) for (const message of record.warnings) emit({ type: 'warn', node: node.name, message });
    const artifacts = artifactsOf(node, record, { key, store, folder: this.#c.graph.folder, files });
    const outputs: Record<string, OutputSummary> = {};
    let metrics: Record<string, unknown> | undefined;
    for (const [name, output] of Object.entries(record.outputs)) {
      outputs[name] = {
        type: output.type,
        digest: artifacts[name]!.digest,
        ...(output.type === 'rows' ? { rows: output.rows } : {}),
      };
      if (output.type === 'metrics') metrics = JSON.parse(store.read(output.digest)!.toString());
    }
    const out = this.#place(record);
    const rows = countRows(node, record);
    const computed = made ? record.computed : record.computed === null ? null : 0;
    const reused = made && record.computed !== null ? Math.max(0, (record.tallies.seen ?? 0) - record.computed) : 0;
    // What was asked for is this build's, and no part of the record.
    const note = [notes(record), made ? this.#counted : null].filter(Boolean).join('; ');
    const event: BuildEvent = {
      type: 'done',
      node: node.name,
      state: made ? 'built' : 'cached',
      key,
      seconds: round(seconds),
      rows,
      computed,
      ...(reused > 0 ? { reused } : {}),
      outputs,
      ...(note ? { note } : {}),
      ...(metrics ? { metrics } : {}),
      ...(out ? { out } : {}),
    };
    emit(event);
    return { state: event.state, key, seconds, rows, computed, artifacts };
  }

  /** Copies a trainer's tree to where people look for it. */
  #place(record: NodeRecord): string | null {
    const output = this.#node.defaultOutput === null ? undefined : record.outputs[this.#node.defaultOutput];
    if (this.#node.section !== 'trainer' || output?.type !== 'tree') return null;
    const folder = this.#outs.place(this.#node.name, output.digest, file =>
      this.#c.emit({
        type: 'warn',
        node: this.#node.name,
        message: `${relative(process.cwd(), join(this.#outs.folder(this.#node.name), file))} had been edited or lost: restored`,
      }),
    );
    return relative(process.cwd(), folder) || '.';
  }

  #failed(failure: Failure, seconds: number): void {
    const log = this.#log.isWritten ? { log: relative(process.cwd(), this.#log.path) } : {};
    this.#c.emit({ type: 'failed', node: this.#node.name, failure, seconds: round(seconds), ...log });
  }
}

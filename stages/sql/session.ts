/** A DuckDB of one node: limited in memory, on one thread, and shut off from files and network before the user's query runs. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StageError } from '../contract.ts';
import { literal } from './columns.ts';
import { type Duck, type DuckDBConnection, type DuckDBInstance, loadDuckDB } from './duckdb.ts';
import type { Query } from './query-text.ts';

interface SessionOptions {
  /** Made anew; holds the database and what does not fit into memory. */
  readonly folder: string;
  /** As in the recipe: `2GB`. */
  readonly memory: string;
  readonly signal: AbortSignal;
}

export class Session {
  readonly duck: Duck;
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #options: SessionOptions;
  readonly #interrupt = () => this.connection.interrupt();

  private constructor(duck: Duck, instance: DuckDBInstance, connection: DuckDBConnection, options: SessionOptions) {
    this.duck = duck;
    this.#instance = instance;
    this.connection = connection;
    this.#options = options;
    options.signal.addEventListener('abort', this.#interrupt);
  }

  static async open(options: SessionOptions): Promise<Session> {
    const { folder, memory, signal } = options;
    signal.throwIfAborted();
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const duck = await loadDuckDB();
    const instance = await duck.DuckDBInstance.create(join(folder, 'tables.duckdb'), {
      // On several threads all that SQL leaves open would come out another way each time: the order of rows, which of equals
      // is first, the last digits of a sum.
      threads: '1',
      memory_limit: memory.replaceAll(' ', ''),
      temp_directory: join(folder, 'spilled'),
      // Extensions are programs from the network, of whatever version there is then.
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const session = new Session(duck, instance, await instance.connect(), options);
    await session.run("SET TimeZone = 'UTC'");
    await session.run('SET errors_as_json = true');
    return session;
  }

  /** A statement of ours. */
  async run(sql: string): Promise<void> {
    try {
      await this.connection.run(sql);
    } catch (error) {
      throw this.explain(error, null);
    }
  }

  /** Names of the columns of all tables, in small letters. */
  async columns(): Promise<ReadonlySet<string>> {
    const found = await this.connection.runAndReadAll('SELECT DISTINCT lower(column_name) FROM duckdb_columns()');
    return new Set(found.getRows().map(row => String(row[0])));
  }

  throwIfAborted(): void {
    this.#options.signal.throwIfAborted();
  }

  /** From here on it reads these files alone, and nothing of this can be changed. */
  async shutOff(paths: readonly string[]): Promise<void> {
    if (paths.length > 0) await this.run(`SET allowed_paths = [${paths.map(literal).join(', ')}]`);
    await this.run('SET enable_external_access = false');
    await this.run('SET lock_configuration = true');
  }

  /** What went wrong, in the user's terms; `query` is the user's, where it was that which was run. */
  explain(error: unknown, query: Query | null): unknown {
    const { signal, memory } = this.#options;
    if (signal.aborted) return signal.reason;
    if (error instanceof StageError || !(error instanceof Error)) return error;
    const told = parse(error.message);
    if (!told) return error;
    if (told.type === 'Out of Memory') {
      return new StageError('sql-memory', `the query needs more than ${memory} of memory`, {
        advice: `give it more (memory: 4GB), or fewer rows or columns at once; DuckDB says: ${told.message}`,
      });
    }
    const [message, ...rest] = told.message.split(/\n+/);
    const { at, place } = query?.locate(told.position) ?? { at: '', place: undefined };
    return new StageError('sql-error', `${message}${at}`, {
      ...(rest.length > 0 ? { advice: rest.join(' ') } : {}),
      ...(place ? { place } : {}),
    });
  }

  close(): void {
    this.#options.signal.removeEventListener('abort', this.#interrupt);
    this.connection.closeSync();
    this.#instance.closeSync();
    rmSync(this.#options.folder, { recursive: true, force: true });
  }
}

interface Told {
  readonly type: string;
  readonly message: string;
  /** Bytes into the query; null where it says nothing. */
  readonly position: number | null;
}

/** Errors are JSON, some after a few words. */
const parse = (text: string): Told | null => {
  const json = text.slice(text.indexOf('{'));
  try {
    const { exception_type, exception_message, position } = JSON.parse(json) as Record<string, string | undefined>;
    if (exception_message === undefined) return null;
    const at = position === undefined ? null : Number(position);
    return { type: exception_type ?? '', message: exception_message, position: at };
  } catch {
    return null;
  }
};

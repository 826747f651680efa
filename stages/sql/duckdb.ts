/** DuckDB, loaded by who runs a query. The only module that imports `@duckdb/node-api`. */

export type {
  DuckDBBlobValue,
  DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBType,
  DuckDBUnionValue,
} from '@duckdb/node-api';

export type Duck = typeof import('@duckdb/node-api');

export const loadDuckDB = (): Promise<Duck> => import('@duckdb/node-api');

// How PostgreSQL says what other databases say differently.
import type { Dialect } from "../../database.ts";

const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;
/** Of the statement, not of its transaction: a lease that is renewed late in a long transaction must not be old at once. */
const now = "timezone('utc', statement_timestamp())";

export const postgresqlDialect: Dialect = {
  name: "postgresql",
  transactionalDdl: true,
  failureEndsTransaction: true,
  nowSql: now,
  nowPlusSecondsSql: `(${now} + cast(? as double precision) * interval '1 second')`,
  secondsSinceSql: (column) => `cast(extract(epoch from ${now} - ${column}) as double precision)`,
  encodeTime: (timestamp) => `${timestamp.slice(0, 10)} ${timestamp.slice(11, 19)}`,
  decodeTime: (text) => `${text.slice(0, 10)}T${text.slice(11, 19)}Z`,
  quote,
  // Not "for update": who adds a property or a location only asks that the image's key stays, and need not wait.
  forUpdate: " for no key update",
  // There are no hints: the planner finds our indexes by itself where a statement has the shape they serve.
  useIndex: () => "",
  nullsLowest: { asc: " nulls first", desc: " nulls last" },
  byPrimaryKey: "",
  // OFFSET keeps the planner from joining otherwise: over tables that fit its idea of small it would read the whole of them for a page,
  // and of somebody who is a member of few images it may believe that he is one of many. What is not selected outside is not read.
  orderedJoin: (table, alias, on) =>
    ` cross join lateral (select ${alias}.* from ${table} ${alias} where ${on} offset 0) ${alias}`,
  beyond: (columns, operator, values) => ({
    sql: `(${columns.join(", ")}) ${operator} (${columns.map(() => "?").join(", ")})`,
    params: values,
  }),
  unionBranch: (select) => `(${select})`,
  // An index whose concurrent build was cut short stays behind, invalid, and serves nobody.
  indexNamesSql:
    "select c.relname as name from pg_index x join pg_class c on c.oid = x.indexrelid join pg_namespace n on n.oid = c.relnamespace where x.indisvalid and n.nspname = current_schema()",
};

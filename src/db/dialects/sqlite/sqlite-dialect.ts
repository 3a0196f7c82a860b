// How SQLite says what other databases say differently.
import type { Dialect } from "../../database.ts";

const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;
/** Milliseconds are what SQLite's clock gives; Glance's columns hold six digits, and compare as text. */
const timeFormat = "strftime('%Y-%m-%d %H:%M:%f', 'now'";

export const sqliteDialect: Dialect = {
  name: "sqlite",
  transactionalDdl: true,
  failureEndsTransaction: false,
  nowSql: `${timeFormat}) || '000'`,
  nowPlusSecondsSql: `${timeFormat}, ? || ' seconds') || '000'`,
  secondsSinceSql: (column) => `(julianday('now') - julianday(${column})) * 86400`,
  encodeTime: (timestamp) => `${timestamp.slice(0, 10)} ${timestamp.slice(11, 19)}.000000`,
  decodeTime: (text) => `${text.slice(0, 10)}T${text.slice(11, 19)}Z`,
  quote,
  forUpdate: "",
  useIndex: (index) => ` indexed by ${quote(index)}`,
  nullsLowest: { asc: "", desc: "" },
  byPrimaryKey: "",
  orderedJoin: (table, alias, on) => ` cross join ${table} ${alias} on ${on}`,
  beyond: (columns, operator, values) => ({
    sql: `(${columns.join(", ")}) ${operator} (${columns.map(() => "?").join(", ")})`,
    params: values,
  }),
  // A branch of a compound SELECT may have no ORDER BY of its own.
  unionBranch: (select) => `select * from (${select})`,
  indexNamesSql: "select name from sqlite_schema where type = 'index'",
};

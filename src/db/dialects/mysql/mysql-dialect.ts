// How MySQL and MariaDB say what other databases say differently.
import type { Dialect, SqlValue } from "../../database.ts";

const quote = (identifier: string) => `\`${identifier.replaceAll("`", "``")}\``;

export const mysqlDialect: Dialect = {
  name: "mysql",
  transactionalDdl: false,
  failureEndsTransaction: false,
  nowSql: "utc_timestamp()",
  nowPlusSecondsSql: "utc_timestamp() + interval ? second",
  secondsSinceSql: (column) => `timestampdiff(microsecond, ${column}, utc_timestamp(6)) / 1e6`,
  encodeTime: (timestamp) => `${timestamp.slice(0, 10)} ${timestamp.slice(11, 19)}`,
  decodeTime: (text) => `${text.slice(0, 10)}T${text.slice(11, 19)}Z`,
  quote,
  forUpdate: " for update",
  useIndex: (index) => ` force index (${quote(index)})`,
  nullsLowest: { asc: "", desc: "" },
  byPrimaryKey: " force index (primary)",
  orderedJoin: (table, alias, on) => ` straight_join ${table} ${alias} on ${on}`,
  // Written out: the server finds the place in an index by this, and not by a comparison of rows.
  beyond(columns, operator, values) {
    const params: SqlValue[] = [];
    const alternatives = columns.map((column, at) => {
      params.push(...values.slice(0, at + 1));
      return [...columns.slice(0, at).map((equal) => `${equal} = ?`), `${column} ${operator} ?`].join(" and ");
    });
    return { sql: `(${alternatives.map((terms) => `(${terms})`).join(" or ")})`, params };
  },
  unionBranch: (select) => `(${select})`,
  indexNamesSql:
    "select distinct index_name as name from information_schema.statistics where table_schema = database()",
};

// How values of PostgreSQL arrive: as database.ts promises them, the same as on every other database.
import pg from "pg";

const { builtins } = pg.types;
const asText = (text: string) => text;

/** Beyond 2^53 a number would lose digits; it stays text, as on MySQL. */
function readBigint(text: string): number | string {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : text;
}

const readers = new Map<number, (text: string) => unknown>([
  [builtins.INT8, readBigint],
  [builtins.TIMESTAMP, asText],
  [builtins.TIMESTAMPTZ, asText],
  [builtins.DATE, asText],
  [builtins.TIME, asText],
  [builtins.INTERVAL, asText],
  [builtins.NUMERIC, asText],
]);

/** For the driver's `types`. */
export const postgresqlTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    readers.get(oid) ?? pg.types.getTypeParser(oid, format as "text"),
};

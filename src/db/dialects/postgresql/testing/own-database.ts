// A database of PostgreSQL with one table for a test of the driver, and the server's other sides of its connections.
import { openDatabase } from "../../../connect.ts";
import type { Database } from "../../../database.ts";
import type { OpenOptions } from "../../../open-options.ts";
import { testDialects, testPostgresql } from "../../../testing/databases.ts";

export const skip = !testDialects.includes("postgresql");

/** `another` opens one more Database on it; all are closed, and the database is dropped, when `work` is done. */
export async function withDatabase(
  work: (db: Database, url: string, another: (options?: OpenOptions) => Promise<Database>) => Promise<void>,
  options: OpenOptions = {},
) {
  const server = await testPostgresql();
  const url = await server.createDatabase();
  const opened: Database[] = [];
  const open = async (given: OpenOptions = {}) => {
    const db = await openDatabase(url, given);
    opened.push(db);
    return db;
  };
  try {
    const db = await open(options);
    await db.run("create table t (id int primary key, n bigint, s varchar(100), at timestamp, b boolean)");
    await work(db, url, open);
  } finally {
    for (const one of opened) await one.close();
    await server.dropDatabase(new URL(url).pathname.slice(1));
  }
}

/** Of the other connections to this database. */
export const otherBackends =
  "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";

/** Returns how many there were. `and`: a further condition on them. */
export async function terminateOthers(killer: Database, and = ""): Promise<number> {
  const rows = await killer.query<{ pid: number }>(`${otherBackends}${and}`);
  for (const { pid } of rows) await killer.query("select pg_terminate_backend(?)", [pid]);
  return rows.length;
}

// Real databases for tests, one of each dialect: a fresh one per test, at the point of an upgrade the test asks for.
// DIALECTS=sqlite (or mysql) narrows the loop.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { type MariadbServer, startMariadb } from "../../../test/servers/mariadb.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import { openDatabase } from "../connect.ts";
import type { Database, Dialect } from "../database.ts";
import type { OpenOptions } from "../open-options.ts";
import { expand } from "../schema/expand.ts";
import { migrate } from "../schema/migrate.ts";
import { ensureOwnTables } from "../schema/own-tables.ts";
import { sync } from "../schema/sync.ts";

export type DialectName = Dialect["name"];

/** `empty`: no table; `expanded`: Newton to Ocata, expanded and migrated, with both kinds of nodes at work; `ocata`: contracted. */
export type SchemaState = "empty" | "newton" | "expanded" | "ocata";

export type TestDatabase = {
  readonly db: Database;
  readonly url: string;
  /** One more Database on the same data, as another process has it. Closed at the end of the test. */
  another(options?: OpenOptions): Promise<Database>;
};

export const testDialects: readonly DialectName[] = (process.env.DIALECTS ?? "sqlite,mysql")
  .split(",")
  .filter((name): name is DialectName => name === "sqlite" || name === "mysql");

let server: Promise<MariadbServer> | null = null;

/** The server of this test file; it ends with the file's tests. */
export function testMariadb(): Promise<MariadbServer> {
  server ??= startMariadb();
  return server;
}

/**
 * Declares the test once for each dialect, on a database without a row in it. Tests of a file that ask for the same state get the same
 * database, one after the other, emptied in between: making one takes a second.
 */
export function testOnDatabases(
  title: string,
  state: Exclude<SchemaState, "empty">,
  run: (database: TestDatabase, context: TestContext) => Promise<void>,
): void {
  for (const dialect of testDialects) {
    test(`${title} (${dialect}, ${state})`, async (context) => {
      const key = `${dialect} ${state}`;
      const shared = kept.get(key) ?? make(dialect, state);
      kept.set(key, shared);
      const made = await shared;
      const others: Database[] = [];
      try {
        await run({ db: made.db, url: made.url, another: (options) => openOne(made.url, options, others) }, context);
      } finally {
        for (const db of others) await db.close();
        await empty(made.db);
      }
    });
  }
}

/** Makes a database for `work` alone, and takes it away afterwards. */
export async function withTestDatabase<T>(
  dialect: DialectName,
  state: SchemaState,
  work: (database: TestDatabase) => Promise<T>,
): Promise<T> {
  const made = await make(dialect, state);
  const others: Database[] = [];
  try {
    return await work({ db: made.db, url: made.url, another: (options) => openOne(made.url, options, others) });
  } finally {
    for (const db of others) await db.close();
    await made.remove();
  }
}

type Made = { readonly db: Database; readonly url: string; remove(): Promise<void> };
const kept = new Map<string, Promise<Made>>();

after(async () => {
  // What could not be made has failed its tests, and is gone.
  for (const made of await Promise.allSettled(kept.values()))
    if (made.status === "fulfilled") await made.value.remove();
  await (await server)?.stop();
});

async function make(dialect: DialectName, state: SchemaState): Promise<Made> {
  const folder = dialect === "sqlite" ? await mkdtemp(join(tmpdir(), "perennial-db-")) : null;
  const url =
    folder === null ? await (await testMariadb()).createDatabase() : `sqlite:///${join(folder, "glance.sqlite")}`;
  const db = await openDatabase(url);
  const remove = async () => {
    await db.close();
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  };
  try {
    await bringTo(db, state);
  } catch (error) {
    // An open database would keep the test's process from ending.
    await remove();
    throw error;
  }
  return { db, url, remove };
}

async function openOne(url: string, options: OpenOptions | undefined, into: Database[]): Promise<Database> {
  const db = await openDatabase(url, options);
  into.push(db);
  return db;
}

async function empty(db: Database): Promise<void> {
  const children = ["image_properties", "image_tags", "image_locations", "image_members"];
  for (const table of [...children, "images", "perennial_uploads", "perennial_nodes"])
    await db.run(`delete from ${table}`);
}

async function bringTo(db: Database, state: SchemaState): Promise<void> {
  if (state === "empty") return;
  await sync({ db, target: releaseOf(state === "ocata" ? "ocata" : "newton") });
  if (state === "expanded") {
    await expand({ db, target: releaseOf("ocata") });
    await migrate({ db, target: releaseOf("ocata") });
  }
  await ensureOwnTables(db);
}

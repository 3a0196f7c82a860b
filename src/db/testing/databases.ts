// Real databases for tests, one of each dialect: a fresh one per test, at the point of an upgrade the test asks for.
// DIALECTS=sqlite (or mysql, postgresql, or several of them) narrows the loop.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { type MariadbServer, startMariadb } from "../../../test/servers/mariadb.ts";
import { type PostgresqlServer, startPostgresql } from "../../../test/servers/postgresql.ts";
import { newestRelease, type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import { openDatabase } from "../connect.ts";
import type { Database, Dialect } from "../database.ts";
import { metadefTables } from "../metadefs/metadef-rows.ts";
import type { OpenOptions } from "../open-options.ts";
import { expand } from "../schema/expand.ts";
import { migrate } from "../schema/migrate.ts";
import { ensureOwnTables } from "../schema/own-tables.ts";
import { sync } from "../schema/sync.ts";

export type DialectName = Dialect["name"];

/** `empty`: no table. */
export type SchemaState = "empty" | keyof typeof spans;

/** From the release that is contracted to the one it was expanded and migrated to, with both kinds of nodes at work. */
const spans = {
  newton: ["newton", "newton"],
  expanded: ["newton", "ocata"],
  ocata: ["ocata", "ocata"],
  "queens-to-rocky": ["queens", "rocky"],
  "newton-to-newest": ["newton", newestRelease.id],
  newest: [newestRelease.id, newestRelease.id],
} as const satisfies Readonly<Record<string, readonly [ReleaseId, ReleaseId]>>;

export type TestDatabase = {
  readonly db: Database;
  readonly url: string;
  /** One more Database on the same data, as another process has it. Closed at the end of the test. */
  another(options?: OpenOptions): Promise<Database>;
};

const allDialects: readonly DialectName[] = ["sqlite", "mysql", "postgresql"];
const askedFor = process.env.DIALECTS?.split(",");
export const testDialects = allDialects.filter((name) => askedFor?.includes(name) ?? true);

let mariadb: Promise<MariadbServer> | null = null;
let postgresql: Promise<PostgresqlServer> | null = null;

/** The server of this test file; it ends with the file's tests. */
export function testMariadb(): Promise<MariadbServer> {
  mariadb ??= startMariadb();
  return mariadb;
}

/** The server of this test file; it ends with the file's tests. */
export function testPostgresql(): Promise<PostgresqlServer> {
  postgresql ??= startPostgresql();
  return postgresql;
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
  await (await mariadb)?.stop();
  await (await postgresql)?.stop();
});

/** A new database at the state asked for, and how it is taken away once nobody is connected. */
type Place = { readonly url: string; remove(): Promise<void> };

const places: Record<DialectName, (state: SchemaState) => Promise<Place>> = {
  async sqlite(state) {
    const folder = await mkdtemp(join(tmpdir(), "perennial-db-"));
    const remove = () => rm(folder, { recursive: true, force: true });
    return broughtTo(state, { url: `sqlite:///${join(folder, "glance.sqlite")}`, remove });
  },
  async mysql(state) {
    // Dropping one takes as long as a test; the server goes with all of them.
    return broughtTo(state, { url: await (await testMariadb()).createDatabase(), remove: async () => undefined });
  },
  async postgresql(state) {
    const server = await testPostgresql();
    const url = await server.createDatabase({ template: await templateFor(state, server) });
    return { url, remove: () => server.dropDatabase(new URL(url).pathname.slice(1)) };
  },
};

const templates = new Map<SchemaState, Promise<string>>();

/** PostgreSQL copies a whole database in a moment: each state is made once in a test file. */
function templateFor(state: SchemaState, server: PostgresqlServer): Promise<string> {
  const make = async () => {
    const { url } = await broughtTo(state, { url: await server.createDatabase(), remove: async () => undefined });
    return new URL(url).pathname.slice(1);
  };
  const name = templates.get(state) ?? make();
  templates.set(state, name);
  return name;
}

async function broughtTo(state: SchemaState, place: Place): Promise<Place> {
  const db = await openDatabase(place.url);
  try {
    await bringTo(db, state);
  } catch (error) {
    // An open database would keep the test's process from ending.
    await db.close();
    await place.remove();
    throw error;
  }
  await db.close();
  return place;
}

async function make(dialect: DialectName, state: SchemaState): Promise<Made> {
  const { url, remove } = await places[dialect](state);
  const db = await openDatabase(url);
  return {
    db,
    url,
    async remove() {
      await db.close();
      await remove();
    },
  };
}

async function openOne(url: string, options: OpenOptions | undefined, into: Database[]): Promise<Database> {
  const db = await openDatabase(url, options);
  into.push(db);
  return db;
}

async function empty(db: Database): Promise<void> {
  const children = ["image_properties", "image_tags", "image_locations", "image_members"];
  for (const table of [
    ...children,
    "images",
    "task_info",
    "tasks",
    "perennial_uploads",
    "perennial_imports",
    "perennial_nodes",
    ...metadefTables,
  ])
    await db.run(`delete from ${table}`);
}

async function bringTo(db: Database, state: SchemaState): Promise<void> {
  if (state === "empty") return;
  const [from, to] = spans[state];
  await sync({ db, target: releaseOf(from) });
  if (to !== from) {
    await expand({ db, target: releaseOf(to) });
    await migrate({ db, target: releaseOf(to) });
  }
  await ensureOwnTables(db);
}

// What tests of backups share: a folder that goes with the test, options, and rows as a fingerprint.
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Database, Dialect } from "../../database.ts";
import { parseDatabaseUrl } from "../../url.ts";
import type { BackupOptions } from "../back-up.ts";
import { tablesOf } from "../content.ts";
import { scratchPrefix } from "../server-scratch.ts";

const made: string[] = [];
after(async () => {
  for (const folder of made) await rm(folder, { recursive: true, force: true });
});

export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-backup-"));
  made.push(folder);
  return folder;
}

export function backupOf(db: Database, databaseUrl: string, folder: string): BackupOptions {
  return { db, databaseUrl, folder, signal: new AbortController().signal };
}

const databaseNames: Record<Dialect["name"], string | null> = {
  sqlite: null,
  mysql: "SELECT schema_name AS name FROM information_schema.schemata",
  postgresql: "SELECT datname AS name FROM pg_database",
};

/** The scratch databases of backups of this one that stand at the moment; tests of other files make theirs on the same server. */
export async function scratchDatabases(db: Database, databaseUrl: string): Promise<readonly string[]> {
  const sql = databaseNames[db.dialect.name];
  if (sql === null) return [];
  const prefix = scratchPrefix(parseDatabaseUrl(databaseUrl));
  const rows = await db.query<{ name: string }>(sql);
  return rows.map(({ name }) => name).filter((name) => name.startsWith(prefix));
}

/** Of every table but those that a restore resets: a hash of its rows, in whatever order they lie. */
export async function fingerprint(db: Database): Promise<Readonly<Record<string, string>>> {
  const prints: Record<string, string> = {};
  for (const table of await tablesOf(db)) {
    if (["perennial_nodes", "perennial_uploads", "perennial_imports"].includes(table)) continue;
    const rows = await db.query(`SELECT * FROM ${db.dialect.quote(table)}`);
    const lines = rows.map((row) => JSON.stringify(row)).sort();
    prints[table] = `${rows.length} ${createHash("sha256").update(lines.join("\n")).digest("hex")}`;
  }
  return prints;
}

// The schemas that the reference implementation makes on MariaDB, as kept in reference/: loaded into an empty database, and the shape
// and revisions that ours is held against.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "../../database.ts";
import { withTestDatabase } from "../../testing/databases.ts";
import { heads } from "./rows.ts";
import { shapeOf } from "./shape.ts";

const folder = new URL("./reference/", import.meta.url);

/** Every schema that is kept: `newton`, `ocata-expanded`, ... */
export const referenceNames: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith(".sql"))
  .map((file) => file.replace(/\.sql$/, ""))
  .sort();

export type Pictured = {
  readonly shape: Readonly<Record<string, readonly string[]>>;
  readonly heads: readonly string[];
};

export async function picture(db: Database): Promise<Pictured> {
  return { shape: await shapeOf(db), heads: await heads(db) };
}

/** Runs the reference's statements. Tables come in alphabetical order, so foreign keys have to wait. Its triggers are named, not made. */
export async function loadReference(db: Database, name: string): Promise<void> {
  const text = read(name);
  await db.session(async (session) => {
    await session.run("SET foreign_key_checks = 0");
    for (const statement of text.replace(/^--.*$/gm, "").split(/;\n/))
      if (statement.trim()) await session.run(statement);
    await session.run("SET foreign_key_checks = 1");
  });
}

const pictures = new Map<string, Promise<Pictured>>();

/** What the reference's database looks like, its triggers included. */
export function referencePicture(name: string): Promise<Pictured> {
  const found =
    pictures.get(name) ??
    withTestDatabase("mysql", "empty", async ({ db }) => {
      await loadReference(db, name);
      const { shape, heads } = await picture(db);
      const triggers = [...read(name).matchAll(/^-- trigger (\w+) /gm)].map(([, trigger = ""]) => trigger);
      return { shape: { ...shape, triggers: triggers.sort() }, heads };
    });
  pictures.set(name, found);
  return found;
}

/** The schema of a finished database with these revisions; of two that differ in their name alone, the older one's. */
export function referenceName(revisions: readonly string[]): string | undefined {
  return referenceNames.find((name) => headsIn(name).join() === [...revisions].sort().join());
}

/** The rows of alembic_version, as they stand in the file. */
export function headsIn(name: string): readonly string[] {
  return [...read(name).matchAll(/^INSERT INTO alembic_version VALUES \('(\w+)'\);$/gm)]
    .map(([, head]) => head ?? assert.fail(`${name} has a row without a revision`))
    .sort();
}

function read(name: string): string {
  return readFileSync(new URL(`${name}.sql`, folder), "utf8");
}

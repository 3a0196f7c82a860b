// Replaces what a database server holds by a backup, behind a marker that outlives a kill: from the first table that goes to the last
// row that was looked at, nobody may take the database for a whole one.
import type { Database, Session } from "../database.ts";
import { restoreMarkerTable } from "../schema/restore-marker.ts";
import { presentTables } from "../schema/schema-tools.ts";
import type { ReplaceOptions } from "./database-copy.ts";

type Parts = {
  /** `load` clears by itself, and does all or nothing. */
  readonly atomic: boolean;
  /** Removes everything but the marker. */
  readonly clear: (session: Session) => Promise<void>;
  readonly load: () => Promise<void>;
};

export async function replaceMarked(db: Database, options: ReplaceOptions, parts: Parts): Promise<void> {
  const { label, seal, wasEmpty } = options;
  let touched = !parts.atomic;
  await mark(db, label);
  try {
    if (!parts.atomic) await db.session(parts.clear);
    await parts.load();
    touched = true;
    await seal(db);
  } catch (error) {
    // The marker stays where this fails too: whoever comes next is told.
    const undone = async () => {
      if (wasEmpty) await db.session(parts.clear);
      if (wasEmpty || !touched) await unmark(db);
    };
    await undone().catch(() => undefined);
    throw error;
  }
  await unmark(db);
}

async function mark(db: Database, label: string): Promise<void> {
  if (!(await presentTables(db)).has(restoreMarkerTable))
    await db.run(`CREATE TABLE ${restoreMarkerTable} (label varchar(255) NOT NULL, started_at varchar(32) NOT NULL)`);
  await db.run(`INSERT INTO ${restoreMarkerTable} (label, started_at) VALUES (?, ?)`, [
    label.slice(0, 255),
    new Date().toISOString(),
  ]);
}

async function unmark(db: Database): Promise<void> {
  await db.run(`DROP TABLE ${restoreMarkerTable}`);
}

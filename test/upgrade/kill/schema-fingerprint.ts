// What a database looks like, as data that can be compared: shape, revisions and what the rows say; and rows to upgrade, of every kind
// that the data migrations tell apart.
import type { Database } from "../../../src/db/database.ts";
import { shapeOf } from "../../../src/db/schema/testing/shape.ts";

export type Fingerprint = Readonly<Record<string, readonly unknown[]>>;

/** Of a database that is contracted. */
export async function fingerprint(database: Database): Promise<Fingerprint> {
  return {
    ...(await shapeOf(database)),
    revisions: await database.query("SELECT version_num FROM alembic_version ORDER BY 1"),
    visibilities: await database.query(`SELECT visibility, COALESCE(m.n, 0) AS members, COUNT(*) AS images FROM images i
      LEFT JOIN (SELECT image_id, COUNT(*) AS n FROM image_members WHERE deleted = FALSE GROUP BY image_id) m ON m.image_id = i.id
      GROUP BY 1, 2 ORDER BY 1, 2`),
    locations: await database.query("SELECT meta_data, COUNT(*) AS n FROM image_locations GROUP BY 1 ORDER BY 1"),
    /** Row by row: what each image is, as a sum that tells one wrong row. */
    images: await database.query("SELECT id, name, visibility, deleted FROM images ORDER BY id LIMIT 500"),
  };
}

/** How far the data migrations have come: cheap to ask, and another answer after every batch. */
export async function migrationProgress(database: Database): Promise<string> {
  return JSON.stringify(
    await database.query("SELECT name, cursor_text, rows_done, finished FROM perennial_progress ORDER BY 1"),
  );
}

const rowsPerStatement = 500;

/** Newton's rows: public ones, private ones, private ones with a live or a removed member, and deleted ones; every fourth has data. */
export async function fillImages(database: Database, count: number): Promise<void> {
  const columns = "id, name, status, is_public, created_at, deleted, min_disk, min_ram, protected";
  for (let from = 0; from < count; from += rowsPerStatement)
    await database.transaction(async (tx) => {
      const numbers = Array.from({ length: Math.min(rowsPerStatement, count - from) }, (_, index) => from + index);
      const images = numbers.map(
        (n) =>
          `('${idOf(n)}', 'i${n}', 'active', ${flag(n % 5 === 0)}, '2016-10-01 00:00:00', ${flag(n % 11 === 0)}, 0, 0, FALSE)`,
      );
      await tx.run(`INSERT INTO images (${columns}) VALUES ${images.join(", ")}`);
      const shared = numbers.filter((n) => n % 5 !== 0 && n % 3 === 0);
      const members = shared.map(
        (n) => `('${idOf(n)}', 'red', FALSE, '2016-10-01 00:00:00', ${flag(n % 2 === 1)}, 'pending')`,
      );
      await tx.run(
        `INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES ${members.join(", ")}`,
      );
      // A Rocky node names the store in its words, which the migration to Train changes.
      const stores = ["{}", '{"backend": "fast"}', '{"backend": "slow", "x": 1}'];
      const locations = numbers
        .filter((n) => n % 4 === 0)
        .map((n) => `('${idOf(n)}', 'file:///${n}', '2016-10-01 00:00:00', FALSE, '${stores[n % 3]}', 'active')`);
      await tx.run(
        `INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status) VALUES ${locations.join(", ")}`,
      );
    });
}

function flag(value: boolean): string {
  return value ? "TRUE" : "FALSE";
}

function idOf(n: number): string {
  return `${String((n * 7_919) % 100_000_007).padStart(8, "0")}-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

// What a database looks like, as data that can be compared: columns, indexes and triggers of Glance's tables, revisions, and how far
// the backfill has come; and rows to upgrade, of every kind that the backfill tells apart.
import type { Database } from "../../../src/db/database.ts";

export type Fingerprint = Readonly<Record<string, readonly unknown[]>>;

const mysqlQueries: Readonly<Record<string, string>> = {
  columns: `SELECT table_name, column_name, column_type, is_nullable, column_default FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name NOT LIKE 'perennial%' ORDER BY 1, ordinal_position`,
  indexes: `SELECT table_name, index_name, column_name, non_unique FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name NOT LIKE 'perennial%' ORDER BY 1, 2, seq_in_index`,
  checks: `SELECT table_name, check_clause FROM information_schema.check_constraints
    WHERE constraint_schema = DATABASE() AND table_name = 'images' ORDER BY 1, 2`,
  triggers: `SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1`,
};
const sqliteQueries: Readonly<Record<string, string>> = {
  schema: "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'perennial%' ORDER BY 1, 2",
};

export async function fingerprint(database: Database): Promise<Fingerprint> {
  const queries = database.dialect.name === "mysql" ? mysqlQueries : sqliteQueries;
  const found: Record<string, readonly unknown[]> = {};
  for (const [what, sql] of Object.entries(queries)) found[what] = await database.query(sql);
  const hasRevisions = JSON.stringify(found).includes("alembic_version");
  found.revisions = hasRevisions ? await database.query("SELECT version_num FROM alembic_version ORDER BY 1") : [];
  const hasVisibility = JSON.stringify(found).includes("visibility_image_idx");
  // Approximate progress is enough to see that there was some; the index makes it cheap.
  found.pending = hasVisibility
    ? await database.query("SELECT COUNT(*) AS n FROM images WHERE visibility IS NULL")
    : [];
  return found;
}

/** How many images have which visibility, and members or none. */
export function visibilities(database: Database): Promise<readonly unknown[]> {
  return database.query(`SELECT visibility, m.image_id IS NOT NULL AS shared, COUNT(*) AS images FROM images i
    LEFT JOIN (SELECT DISTINCT image_id FROM image_members WHERE deleted = 0) m ON m.image_id = i.id GROUP BY 1, 2 ORDER BY 1, 2`);
}

const rowsPerStatement = 500;

/** Newton's rows: public ones, private ones, private ones with a live or a removed member, and deleted ones. */
export async function fillImages(database: Database, count: number): Promise<void> {
  const { quote } = database.dialect;
  for (let from = 0; from < count; from += rowsPerStatement)
    await database.transaction(async (tx) => {
      const numbers = Array.from({ length: Math.min(rowsPerStatement, count - from) }, (_, index) => from + index);
      const images = numbers.map(
        (n) =>
          `('${idOf(n)}', 'i${n}', 'active', ${n % 5 === 0 ? 1 : 0}, '2016-10-01 00:00:00', ${n % 11 === 0 ? 1 : 0}, 0, 0, 0)`,
      );
      const columns = [
        "id",
        "name",
        "status",
        "is_public",
        "created_at",
        "deleted",
        "min_disk",
        "min_ram",
        "protected",
      ];
      await tx.run(`INSERT INTO images (${columns.map(quote).join(", ")}) VALUES ${images.join(", ")}`);
      const shared = numbers.filter((n) => n % 5 !== 0 && n % 3 === 0);
      const members = shared.map((n) => `('${idOf(n)}', 'red', 0, '2016-10-01 00:00:00', ${n % 2}, 'pending')`);
      await tx.run(
        `INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES ${members.join(", ")}`,
      );
    });
}

function idOf(n: number): string {
  return `${String((n * 7_919) % 100_000_007).padStart(8, "0")}-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

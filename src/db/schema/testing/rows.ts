// Rows of Newton for tests of the engine: of every kind that a phase tells apart, in a known order of ids.
import type { Database } from "../../database.ts";

const perStatement = 500;

/** Ids are spread, so that key order is not insertion order. */
export function idOf(n: number): string {
  return `${String((n * 7_919) % 100_000_007).padStart(8, "0")}-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

/** Every fifth is public; of the others every third has a member, every second of which was removed; every eleventh is deleted. */
export async function fillNewton(db: Database, count: number): Promise<void> {
  for (let from = 0; from < count; from += perStatement) {
    const numbers = Array.from({ length: Math.min(perStatement, count - from) }, (_, index) => from + index);
    const images = numbers.map(
      (n) => `('${idOf(n)}', 'active', ${n % 5 === 0}, '2016-10-01 00:00:00', ${n % 11 === 0}, 0, 0, FALSE)`,
    );
    await db.run(
      `INSERT INTO images (id, status, is_public, created_at, deleted, min_disk, min_ram, protected) VALUES ${images.join(", ")}`,
    );
    for (const n of numbers.filter((one) => one % 5 !== 0 && one % 3 === 0)) await addMember(db, idOf(n), n % 2 === 0);
  }
}

export async function addMember(db: Database, imageId: string, live = true, member = "red"): Promise<void> {
  await db.run(
    "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES (?, ?, FALSE, '2016-10-01 00:00:00', ?, 'pending')",
    [imageId, member, !live],
  );
}

/** What `fillNewton` row `n` must be after the data migration. */
export function migratedVisibility(n: number): "public" | "shared" | "private" {
  if (n % 5 === 0) return "public";
  return n % 3 === 0 && n % 2 === 0 ? "shared" : "private";
}

export async function visibilityById(db: Database): Promise<Readonly<Record<string, string | null>>> {
  const rows = await db.query<{ id: string; visibility: string | null }>(
    "SELECT id, visibility FROM images ORDER BY id",
  );
  return Object.fromEntries(rows.map((row) => [row.id, row.visibility]));
}

export function migratedRows(count: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [idOf(n), migratedVisibility(n)] as const).sort(([one], [other]) =>
      one < other ? -1 : 1,
    ),
  );
}

export async function heads(db: Database): Promise<readonly string[]> {
  const rows = await db.query<{ version_num: string }>("SELECT version_num FROM alembic_version ORDER BY version_num");
  return rows.map((row) => row.version_num);
}

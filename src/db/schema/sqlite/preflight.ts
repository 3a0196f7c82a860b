// What SQLite must have before a phase: a file this process may write, of a version that can take a column's NOT NULL away.
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Queryable } from "../../database.ts";
import type { Findings, PreflightPhase } from "../findings.ts";

export async function sqlitePreflight(db: Queryable, phase: PreflightPhase): Promise<Findings> {
  const problems: string[] = [];
  const [row] = await db.query<{ version: string }>("SELECT sqlite_version() AS version");
  const [major = 0, minor = 0] = (row?.version ?? "").split(".").map(Number);
  if (major < 3 || (major === 3 && minor < 53))
    problems.push(`SQLite ${row?.version} is too old, 3.53 or newer is needed`);
  // A rebuild writes the table once more, first into the log and then into the file.
  const [size] = await db.query<{ file: string | null; bytes: number }>(
    `SELECT (SELECT file FROM pragma_database_list WHERE name = 'main') AS file,
     (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size()) AS bytes`,
  );
  if ((phase === "contract" || phase === "sync") && size?.file) {
    const disk = await statfs(dirname(size.file));
    const wantedMb = Math.ceil((Number(size.bytes) * 2) / 2 ** 20);
    const freeMb = Math.floor((disk.bavail * disk.bsize) / 2 ** 20);
    if (freeMb < wantedMb)
      problems.push(`${dirname(size.file)} has ${freeMb} MB free, about ${wantedMb} MB are needed`);
  }
  return { problems, notes: [] };
}

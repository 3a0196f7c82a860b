// Backs up SQLite: a consistent copy made by the database itself while others write, compressed; read back it must be a sound database.
import { createReadStream, createWriteStream } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "../../db/connect.ts";
import type { Database } from "../../db/database.ts";
import { readCompressed, writeCompressed } from "./compressed-file.ts";
import type { DatabaseCopy } from "./database-copy.ts";

export function createSqliteCopy(): DatabaseCopy {
  return {
    async bytesNeeded({ db }) {
      const [size] = await db.query<{ bytes: number }>(
        "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
      );
      // A plain copy beside the compressed one.
      return 2 * Number(size?.bytes ?? 0);
    },

    async write({ db, folder, name, signal }) {
      const file = `${name}.sqlite.zst`;
      const plain = join(folder, `${name}.copy`);
      try {
        // An empty file of that name is filled; this one is readable by us alone.
        await writeFile(plain, "", { flag: "wx", mode: 0o600 });
        await db.session((session) => session.run("VACUUM INTO ?", [plain]));
        const rows = await countCopy(plain);
        const written = await writeCompressed(createReadStream(plain), join(folder, file), () => undefined, signal);
        return { file, ...written, rows };
      } finally {
        await removeCopy(plain);
      }
    },

    async readBack({ folder, name, signal }, file) {
      const plain = join(folder, `${name}.check`);
      try {
        const sink = createWriteStream(plain, { flags: "wx", mode: 0o600 });
        const read = await readCompressed(join(folder, file), () => undefined, signal, sink);
        return { ...read, rows: await countCopy(plain, { check: true }) };
      } finally {
        await removeCopy(plain);
      }
    },

    restore: (file) =>
      `zstd -d ${file} -o glance.sqlite   (with every node stopped; remove glance.sqlite-wal and -shm first)`,
  };
}

async function countCopy(path: string, options: { check?: boolean } = {}): Promise<Readonly<Record<string, number>>> {
  const copy = await openDatabase(`sqlite:///${path}`, { poolSizeMax: 1 });
  try {
    if (options.check) {
      const found = await copy.query("PRAGMA integrity_check(3)");
      const said = found.map((row) => String(Object.values(row)[0])).join("; ");
      if (said !== "ok") throw new Error(`read back, the copy is damaged: ${said}`);
    }
    return await countRows(copy);
  } finally {
    await copy.close();
  }
}

async function countRows(db: Database): Promise<Readonly<Record<string, number>>> {
  const tables = await db.query<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  const counts = tables.map(
    ({ name }) => `SELECT '${name.replaceAll("'", "''")}' AS name, COUNT(*) AS n FROM ${db.dialect.quote(name)}`,
  );
  if (counts.length === 0) return {};
  const rows = await db.query<{ name: string; n: number }>(counts.join(" UNION ALL "));
  return Object.fromEntries(rows.map((row) => [row.name, Number(row.n)]));
}

async function removeCopy(path: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(`${path}${suffix}`, { force: true });
}

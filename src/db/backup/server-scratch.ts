// Scratch databases beside the real one, for restoring a backup where nobody looks: made, filled, shown, dropped; those of killed runs
// are known by their name and dropped by the next run.
import { createHash, randomBytes } from "node:crypto";
import { isServiceError } from "../../core/errors.ts";
import { openParsedDatabase } from "../connect.ts";
import type { Database } from "../database.ts";
import type { DatabaseUrl } from "../url.ts";
import type { CopySource, Pass, Scratched } from "./database-copy.ts";

export type ScratchSql = {
  /** A SELECT of database names like `?`, as column `name`. */
  readonly listSql: string;
  readonly createSql: (name: string) => Promise<string>;
  readonly dropSql: (name: string) => readonly string[];
  /** The same server, another database. */
  readonly at: (database: string) => DatabaseUrl;
  readonly load: (database: string, path: string, pass: Pass) => Promise<void>;
};

/** How the names of one database's scratches begin. Others of the server may be backed up at this moment: theirs are not ours to drop. */
export function scratchPrefix(url: DatabaseUrl): string {
  return `perennial_check_${createHash("sha256").update(url.display).digest("hex").slice(0, 8)}_`;
}

export function createScratches({ db, url }: CopySource, sql: ScratchSql) {
  const prefix = scratchPrefix(url);
  const run = (...statements: readonly string[]) =>
    db.session(async (session) => {
      for (const statement of statements) await session.run(statement);
    });

  return {
    async withScratch<T>(path: string, pass: Pass, work: (scratch: Database) => Promise<T>): Promise<Scratched<T>> {
      const name = `${prefix}${Math.floor(Date.now() / 1_000)}_${randomBytes(3).toString("hex")}`;
      try {
        await run(await sql.createSql(name));
      } catch (error) {
        if (isServiceError(error, "db.access_denied")) return { refused: "the user may not create databases" };
        throw error;
      }
      try {
        try {
          await sql.load(name, path, pass);
        } catch (error) {
          if (isServiceError(error, "db.access_denied")) return { refused: `the user may not fill ${name}` };
          throw error;
        }
        const scratch = await openParsedDatabase(sql.at(name), { poolSizeMax: 2 });
        try {
          return { result: await work(scratch) };
        } finally {
          await scratch.close();
        }
      } finally {
        // Where even this fails the next run does it; what was found before is what counts.
        await run(...sql.dropSql(name)).catch(() => undefined);
      }
    },

    async removeLeftovers({ secondsMin }: { secondsMin: number }): Promise<void> {
      const found = await db.query<{ name: string }>(sql.listSql, [`${prefix.replaceAll("_", "\\_")}%`]);
      for (const { name } of found) {
        const made = Number(name.slice(prefix.length).split("_")[0]);
        if (Date.now() / 1_000 - made >= secondsMin) await run(...sql.dropSql(name));
      }
    },
  };
}

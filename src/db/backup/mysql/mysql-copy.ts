// Backs up MySQL and MariaDB with the server's own dump program: one consistent snapshot, without locks, as SQL, compressed; and loads
// such a file with the server's own client.
import { createHash } from "node:crypto";
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Session } from "../../database.ts";
import { isCluster, readServer } from "../../schema/mysql/server.ts";
import { restoreMarkerTable } from "../../schema/restore-marker.ts";
import type { MysqlUrl } from "../../url.ts";
import { type ClientCommand, runClient, secretPath, versionOf } from "../client-program.ts";
import { readCompressed, writeCompressed } from "../compressed-file.ts";
import type { CopySource, DatabaseCopy, Pass } from "../database-copy.ts";
import { filterDump } from "../dump-filter.ts";
import { replaceMarked } from "../server-restore.ts";
import { createScratches } from "../server-scratch.ts";
import { definerClauses } from "./definers.ts";
import { findMysqlProgram, mysqlOptionFile, translateMysqlWords } from "./mysql-client.ts";
import { SqlDumpReader } from "./sql-dump-reader.ts";

/** A snapshot by MVCC, read row by row; tables are locked against DDL alone, each only while it is read. */
const dumpArgs = [
  "--single-transaction",
  "--quick",
  "--skip-lock-tables",
  "--no-tablespaces",
  "--triggers",
  "--routines",
  "--hex-blob",
  "--default-character-set=utf8mb4",
  "--loose-set-gtid-purged=OFF",
  "--loose-column-statistics=0",
];
const loaderWaitSeconds = 60;

export function createMysqlCopy({ db, url }: CopySource<MysqlUrl>): DatabaseCopy {
  const command = (program: string, args: readonly string[], signal: AbortSignal): ClientCommand => ({
    program,
    args: [`--defaults-file=${secretPath}`, ...args],
    secret: mysqlOptionFile(url),
    translate: translateMysqlWords,
    signal,
  });

  async function load(database: string, path: string, pass: Pass): Promise<void> {
    const program = findMysqlProgram("load", await readServer(db));
    await runClient(command(program, ["--default-character-set=utf8mb4", database], pass.signal), async (child) => {
      child.stdout.resume();
      // Held as long as this client lives, however we end: see waitForLoaders.
      child.stdin.write(`SELECT GET_LOCK('${loaderLock(database)}', ${loaderWaitSeconds});\n`);
      await readCompressed(path, pass, undefined, child.stdin);
    });
  }

  const scratches = createScratches(
    { db, url },
    {
      listSql: "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name LIKE ?",
      createSql: async (name) => {
        const [row] = await db.query<{ c: string; o: string }>(
          "SELECT @@character_set_database AS c, @@collation_database AS o",
        );
        return `CREATE DATABASE ${db.dialect.quote(name)} CHARACTER SET ${row?.c ?? "utf8"} COLLATE ${row?.o ?? "utf8_general_ci"}`;
      },
      dropSql: (name) => [`DROP DATABASE IF EXISTS ${db.dialect.quote(name)}`],
      at: (database) => ({ ...url, database }),
      load,
    },
  );

  return {
    ending: ".sql.zst",

    async about() {
      const server = await readServer(db);
      return { server: server.text, program: await versionOf(findMysqlProgram("dump", server)) };
    },

    async plainBytes() {
      const [row] = await db.query<{ bytes: number | string | null }>(
        "SELECT SUM(data_length) AS bytes FROM information_schema.tables WHERE table_schema = DATABASE()",
      );
      return Number(row?.bytes ?? 0);
    },

    // As text the data is about as large as in the tables; compressed it was never above a half.
    bytesNeeded: (plainBytes) => Math.ceil(plainBytes / 2),

    async write(path, pass) {
      const reader = new SqlDumpReader();
      const program = findMysqlProgram("dump", await readServer(db));
      const written = await runClient(command(program, [...dumpArgs, url.database], pass.signal), async (child) => {
        child.stdin.end();
        const cleaned = new PassThrough();
        const cleaning = pipeline(child.stdout, filterDump(definerClauses), cleaned, { signal: pass.signal });
        const writing = writeCompressed(cleaned, path, pass, (chunk) => reader.push(chunk));
        const [facts] = await Promise.all([writing, cleaning]);
        return facts;
      });
      if (!reader.complete) throw new Error("the dump program ended well, but its output has no end");
      return { ...written, rows: reader.rows };
    },

    async read(path, pass) {
      const reader = new SqlDumpReader();
      const read = await readCompressed(path, pass, (chunk) => reader.push(chunk));
      if (!reader.complete) throw new Error("read back, the dump has no end");
      return { ...read, rows: reader.rows };
    },

    async withScratch(path, pass, work) {
      const refused = await roomProblem();
      return refused ? { refused } : scratches.withScratch(path, pass, work);
    },

    // Locks of a cluster hold per node: another node may have a run that uses its scratch database.
    removeLeftovers: async () => scratches.removeLeftovers({ secondsMin: (await isCluster(db)) ? 86_400 : 0 }),

    replace: (path, pass, options) =>
      replaceMarked(db, options, {
        atomic: false,
        clear: (session) => clear(session, url.database),
        load: () => load(url.database, path, pass),
      }),

    byHand: (file) => `zstd -dc ${file} | mariadb ${url.database}`,
  };

  /** Knowable where the server runs on this machine. */
  async function roomProblem(): Promise<string | undefined> {
    const [row] = await db.query<{ bytes: number | string | null; folder: string; host: string }>(
      `SELECT (SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()) AS bytes,
       @@datadir AS folder, @@hostname AS host`,
    );
    if (row?.host !== hostname()) return undefined;
    const disk = await statfs(row.folder).catch(() => undefined); // Another machine of the same name, or a container.
    if (!disk || disk.bavail * disk.bsize > Number(row.bytes ?? 0) * 1.2) return undefined;
    return `${row.folder} of the server has no room for a second copy`;
  }
}

/** Everything but the marker. The dump brings back routines of its own names. */
async function clear(session: Session, database: string): Promise<void> {
  await waitForLoaders(session, database);
  await session.run("SET foreign_key_checks = 0");
  const tables = await session.query<{ name: string; type: string }>(
    "SELECT table_name AS name, table_type AS type FROM information_schema.tables WHERE table_schema = DATABASE()",
  );
  for (const { name, type } of tables.filter((one) => one.name !== restoreMarkerTable))
    await session.run(`DROP ${type === "VIEW" ? "VIEW" : "TABLE"} \`${name.replaceAll("`", "``")}\``);
}

/** The client of a restore that was killed may still be at its last statement; what it writes must not land in what comes now. */
async function waitForLoaders(session: Session, database: string): Promise<void> {
  const key = loaderLock(database);
  const [row] = await session.query<{ got: number | null }>("SELECT GET_LOCK(?, ?) AS got", [key, loaderWaitSeconds]);
  if (row?.got !== 1) throw new Error("the client of an earlier restore is still at work; end it, and try again");
  await session.query("SELECT RELEASE_LOCK(?)", [key]);
}

function loaderLock(database: string): string {
  return `perennial.load.${createHash("sha256").update(database).digest("hex").slice(0, 40)}`;
}

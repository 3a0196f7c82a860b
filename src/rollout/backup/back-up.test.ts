// A backup counts only when it was read back: on both databases, while others write, and not when anything is wrong with it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { type MariadbServer, startMariadb } from "../../../test/servers/mariadb.ts";
import { systemClock } from "../../core/clock.ts";
import { openDatabase } from "../../db/connect.ts";
import type { Database } from "../../db/database.ts";
import { type BackupOptions, backUp } from "./back-up.ts";
import { findManifest } from "./manifest.ts";
import { SqlDumpReader } from "./sql-dump-reader.ts";

const dialects = (process.env.DIALECTS ?? "sqlite,mysql").split(",");
const root = mkdtempSync(join(tmpdir(), "perennial-backup-"));
let server: MariadbServer | undefined;
before(async () => {
  if (dialects.includes("mysql")) server = await startMariadb();
});
after(async () => {
  await server?.stop();
  rmSync(root, { recursive: true });
});
let folders = 0;
async function makeDatabase(dialect: string): Promise<{ url: string; db: Database; folder: string }> {
  const folder = join(root, String(folders++));
  execFileSync("mkdir", [folder]);
  const path = join(folder, "glance.sqlite");
  if (dialect === "sqlite") writeFileSync(path, "");
  const url = dialect === "sqlite" ? `sqlite:///${path}` : await (server ?? assert.fail()).createDatabase();
  const db = await openDatabase(url);
  await db.run("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
  await db.run("INSERT INTO alembic_version VALUES ('mitaka02')");
  await db.run("CREATE TABLE images (id varchar(36) PRIMARY KEY, name varchar(255), note text)");
  await db.run("CREATE TABLE empty_one (id int)");
  for (let n = 0; n < 100; n++)
    await db.run("INSERT INTO images VALUES (?, ?, ?)", [
      `id-${n}`,
      `it's; (a) \\ "name" ${n}`,
      "x'\n),(';--\nINSERT INTO `images` VALUES (1)",
    ]);
  return { url, db, folder };
}
const options = (made: { url: string; db: Database; folder: string }): BackupOptions => ({
  db: made.db,
  databaseUrl: made.url,
  folder: join(made.folder, "backups"),
  rolloutId: "glance-ocata-20261123T151206Z",
  clock: systemClock,
  msMax: 60_000,
  signal: new AbortController().signal,
  report: async () => undefined,
});

for (const dialect of dialects) {
  test(`${dialect}: a backup is written, read back and proven by its manifest, while others write`, async () => {
    const made = await makeDatabase(dialect);
    try {
      let writing = true;
      let n = 100;
      const writer = (async () => {
        while (writing) await made.db.run("INSERT INTO images VALUES (?, 'late', NULL)", [`id-${n++}`]);
      })();
      const manifest = await backUp(options(made));
      writing = false;
      await writer;
      assert((manifest.rows.images ?? 0) >= 100);
      assert.deepEqual([manifest.rows.empty_one, manifest.rows.alembic_version], [0, 1]);
      assert.deepEqual(manifest.revisions, ["mitaka02"]);
      const { folder, rolloutId } = options(made);
      assert.deepEqual(findManifest(folder, rolloutId), manifest);
      assert.equal(statSync(join(folder, manifest.file)).mode & 0o077, 0, "only we may read it");
      assert.deepEqual(readdirSync(folder).sort(), [manifest.file, `${rolloutId}.manifest.json`].sort());
      // A backup that lost bytes is none.
      truncateSync(join(folder, manifest.file), manifest.bytes - 1);
      assert.equal(findManifest(folder, rolloutId), undefined);
      assert.equal(findManifest(folder, "another"), undefined);
    } finally {
      await made.db.close();
    }
  });

  test(`${dialect}: what was backed up can be restored`, async () => {
    const made = await makeDatabase(dialect);
    try {
      const manifest = await backUp(options(made));
      const plain = zstdDecompressSync(readFileSync(join(options(made).folder, manifest.file)));
      let url = `sqlite:///${join(made.folder, "restored.sqlite")}`;
      if (dialect === "sqlite") writeFileSync(join(made.folder, "restored.sqlite"), plain);
      else {
        url = await (server ?? assert.fail()).createDatabase();
        const database = new URL(url).pathname.slice(1);
        execFileSync("mariadb", ["--no-defaults", "-uroot", `-S${server?.socket}`, database], { input: plain });
      }
      const restored = await openDatabase(url);
      const sql = "SELECT * FROM images ORDER BY id";
      assert.deepEqual(await restored.query(sql), await made.db.query(sql));
      await restored.close();
    } finally {
      await made.db.close();
    }
  });

  test(`${dialect}: a backup that cannot be made is refused in one line, and leaves nothing behind`, async () => {
    const made = await makeDatabase(dialect);
    try {
      const inTheWay = join(made.folder, "a-file");
      writeFileSync(inTheWay, "");
      await assert.rejects(backUp({ ...options(made), folder: join(inTheWay, "backups") }), {
        code: "rollout.backup_failed",
        message: /the backup of .* into .* failed: .*; nothing was changed$/,
      });
      const stopped = AbortSignal.abort(new Error("stopped"));
      await assert.rejects(backUp({ ...options(made), signal: stopped }), { code: "rollout.backup_failed" });
      assert.deepEqual(readdirSync(options(made).folder), []);
    } finally {
      await made.db.close();
    }
  });
}

test("mysql: the dump program's own words are told, without the password", {
  skip: !dialects.includes("mysql"),
}, async () => {
  const made = await makeDatabase("mysql");
  try {
    const wrong = made.url.replace("root@", "nobody:s3cret@");
    await assert.rejects(backUp({ ...options(made), databaseUrl: wrong }), (error: Error) => {
      assert.match(error.message, /Access denied for user 'nobody'/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
    assert.deepEqual(readdirSync(options(made).folder), []);
  } finally {
    await made.db.close();
  }
});

test("sql dumps: rows are counted whatever stands in them, wherever the chunks are cut", () => {
  const text = [
    "-- a comment with 'a quote",
    "CREATE TABLE `images` (",
    "  `id` varchar(36)",
    ");",
    "CREATE TABLE `none``such` (",
    ");",
    "INSERT INTO `images` VALUES",
    "('a','it\\'s (1); INSERT INTO `x` VALUES (1)',NULL),",
    "('b','''quoted''',0x00),('c','back\\\\',NULL);",
    "INSERT INTO `images` (`id`) VALUES ('d');",
    "DELIMITER ;;",
    "CREATE TRIGGER t BEFORE INSERT ON images FOR EACH ROW BEGIN",
    "INSERT INTO `images` VALUES ('no row');",
    "END ;;",
    "DELIMITER ;",
    "-- Dump completed on 2026-11-23 15:12:06",
    "",
  ].join("\n");
  const bytes = Buffer.from(text);
  for (const size of [1, 7, 64, bytes.length]) {
    const reader = new SqlDumpReader();
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    assert.deepEqual(reader.rows, { images: 4, "none`such": 0 });
    assert.equal(reader.complete, true);
  }
});

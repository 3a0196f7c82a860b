// What is MySQL's and MariaDB's own: users who may do little, triggers of other users, the dump read as text.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { openDatabase } from "../../connect.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { backUp } from "../back-up.ts";
import { filterDump } from "../dump-filter.ts";
import { restore } from "../restore.ts";
import { backupOf, makeFolder, scratchDatabases } from "../testing/folders.ts";
import { definerClauses } from "./definers.ts";
import { SqlDumpReader } from "./sql-dump-reader.ts";

const options = { skip: !testDialects.includes("mysql") };

test("mysql: the dump program's own words are told, without the password", options, () =>
  withTestDatabase("mysql", "newton", async ({ db, url }) => {
    const folder = await makeFolder();
    const wrong = url.replace("root@", "nobody:s3cret@");
    await assert.rejects(backUp(backupOf(db, wrong, folder)), (error: Error & { code: string }) => {
      assert.equal(error.code, "db.access_denied");
      assert.match(error.message, /Access denied for user 'nobody'/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
    assert.deepEqual(readdirSync(folder), []);
  }),
);

test(
  "mysql: a user of this database alone backs up, verified by reading, and restores triggers that are another's",
  options,
  () =>
    withTestDatabase("mysql", "expanded", async ({ db, url }) =>
      withTestDatabase("mysql", "empty", async ({ db: target, url: targetUrl }) => {
        const name = new URL(url).pathname.slice(1);
        const user = `u_${name}`.slice(0, 30);
        const ours = (one: string) => one.replace("root@", `${user}:p%23"%5C%20w@`);
        await db.run(`CREATE USER '${user}'@'%' IDENTIFIED BY 'p#"\\\\ w'`);
        try {
          for (const one of [url, targetUrl])
            await db.run(`GRANT ALL ON \`${new URL(one).pathname.slice(1)}\`.* TO '${user}'@'%'`);
          const own = await openDatabase(ours(url));
          try {
            const folder = await makeFolder();
            const { path, manifest } = await backUp(backupOf(own, ours(url), folder));
            assert.deepEqual(
              [manifest.verified, manifest.verifiedWhy],
              ["reading", "the user may not create databases"],
            );
            await assert.rejects(backUp({ ...backupOf(own, ours(url), folder), verify: "restore" }), {
              code: "db.backup_failed",
              message: /cannot be restored for a test: the user may not create databases/,
            });
            const limited = await openDatabase(ours(targetUrl));
            const signal = new AbortController().signal;
            const about = { databaseUrl: ours(targetUrl), file: path, replace: false, keepIn: dirname(path), signal };
            await restore({ db: limited, ...about }).finally(() => limited.close());
            const definers = await target.query<{ d: string; n: number }>(
              "SELECT SUBSTRING_INDEX(definer, '@', 1) AS d, COUNT(*) AS n FROM information_schema.triggers WHERE event_object_schema = DATABASE() GROUP BY 1",
            );
            assert.deepEqual(
              definers.map((row) => row.d),
              [user],
            );
          } finally {
            await own.close();
          }
        } finally {
          await db.run(`DROP USER '${user}'@'%'`);
        }
      }),
    ),
);

test("mysql: scratch databases of killed runs are dropped, those of other databases are not", options, () =>
  withTestDatabase("mysql", "newton", async ({ db, url }) => {
    const names = () => scratchDatabases(db, url);
    let during: readonly string[] = [];
    const folder = await makeFolder();
    const stopped = new AbortController();
    const on = ({ stage }: { stage: string }) => {
      if (stage === "load") stopped.abort(new Error("enough"));
    };
    // The name of a scratch database of this one is seen by creating its neighbour while it stands.
    const made = backUp({ ...backupOf(db, url, folder), on, signal: stopped.signal });
    const seen = (async () => {
      while (during.length === 0) during = await names();
    })();
    await assert.rejects(made, /enough/);
    await seen;
    const [found = ""] = during;
    assert.deepEqual(await names(), [], "it was dropped on the way out");
    const foreign = "perennial_check_00000000_1_abc";
    for (const name of [found, foreign]) await db.run(`CREATE DATABASE ${name}`);
    await backUp(backupOf(db, url, folder));
    assert.deepEqual(await names(), []);
    // Fails where it is no more.
    await db.run(`DROP DATABASE ${foreign}`);
  }),
);

const dump = [
  "-- a comment with 'a quote",
  "CREATE TABLE `images` (",
  "  `id` varchar(36)",
  ");",
  "CREATE TABLE `none``such` (",
  ");",
  "INSERT INTO `images` VALUES",
  "('a','it\\'s (1); INSERT INTO `x` VALUES (1)',NULL),",
  "('b','''quoted''',0x00),('c','back\\\\ /*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ ',NULL);",
  "INSERT INTO `images` (`id`) VALUES ('d');",
  "DELIMITER ;;",
  "/*!50003 CREATE*/ /*!50017 DEFINER=`ro``ot`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON images FOR EACH ROW BEGIN",
  "INSERT INTO `images` VALUES ('no row');",
  "END */;;",
  "CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()",
  "DELIMITER ;",
  "/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */",
  "-- Dump completed on 2026-11-23 15:12:06",
  "",
].join("\n");
const bytes = Buffer.from(dump);

test("sql dumps: rows are counted whatever stands in them, wherever the chunks are cut", () => {
  for (const size of [1, 7, 64, bytes.length]) {
    const reader = new SqlDumpReader();
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    assert.deepEqual(reader.rows, { images: 4, "none`such": 0 });
    assert.equal(reader.complete, true);
  }
});

test("sql dumps: definers go, and nothing else, wherever the chunks are cut", async () => {
  const wanted = dump
    .replace("/*!50017 DEFINER=`ro``ot`@`%`*/ ", "")
    .replace("CREATE DEFINER=`root`@`localhost` PROCEDURE", "CREATE PROCEDURE")
    .replace("/*!50013 DEFINER=`root`@`localhost` ", "/*!50013 ");
  const filler = `${"x".repeat(1_999)}\n`;
  for (const size of [1, 7, 64, 2_000, 100_000]) {
    const all = Buffer.from(filler + dump + filler + dump);
    const chunks: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) chunks.push(all.subarray(at, at + size));
    assert.equal(await text(Readable.from(chunks).pipe(filterDump(definerClauses))), filler + wanted + filler + wanted);
  }
});

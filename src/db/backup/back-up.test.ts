// A backup counts only when it was proven, is one moment of the database while others write, and leaves nothing behind when anything is
// wrong with it.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cannotMount, mountSmallDisk } from "../../../test/servers/small-disk.ts";
import { fillNewton, idOf } from "../schema/testing/rows.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { backUp } from "./back-up.ts";
import { findBackup } from "./backup-folder.ts";
import type { BackupProgress } from "./progress.ts";
import { backupOf, makeFolder, scratchDatabases } from "./testing/folders.ts";

for (const dialect of testDialects) {
  test(`${dialect}: a backup is proven by restoring it, and tells what is in it`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 100);
      const folder = join(await makeFolder(), "deeper");
      const told: BackupProgress[] = [];
      const options = { ...backupOf(db, url, folder), label: "some-name", on: (one: BackupProgress) => told.push(one) };
      const { path, manifest } = await backUp(options);
      assert.deepEqual([manifest.verified, manifest.verifiedWhy], ["restoring", null]);
      assert.deepEqual([manifest.rows.images, manifest.rows.tasks, manifest.rows.alembic_version], [100, 0, 1]);
      assert.deepEqual([manifest.revisions, manifest.contracted], [["mitaka02"], "newton"]);
      assert.deepEqual([...new Set(told.map((one) => one.stage))], ["write", "read_back", "load"]);
      const data = join(path, manifest.file);
      assert.equal(statSync(data).size, manifest.bytes);
      for (const private_ of [path, data, join(path, "manifest.json")])
        assert.equal(statSync(private_).mode & 0o077, 0, "only we may read it");
      assert.deepEqual(readdirSync(path).sort(), [manifest.file, "manifest.json"]);
      assert.deepEqual(readdirSync(folder).length, 1);
      assert.deepEqual(findBackup(folder, "some-name"), { folder: path, manifest });
      assert.equal(findBackup(folder, "some"), undefined);
      const later = await backUp(options);
      assert.notEqual(later.path, path);
      assert.equal(findBackup(folder, "some-name")?.folder, later.path, "the newest one counts");
      await backUp({ ...options, verify: "none" });
      assert.equal(findBackup(folder, "some-name")?.folder, later.path, "one that was not proven does not count");
      // A backup that lost bytes is none.
      truncateSync(join(later.path, later.manifest.file), later.manifest.bytes - 1);
      assert.equal(findBackup(folder, "some-name")?.folder, path);
      assert.deepEqual(await scratchDatabases(db, url), []);
    }));

  test(`${dialect}: a backup under write traffic is one moment: no row without the row it belongs to`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 50);
      let writing = true;
      let n = 1_000;
      const writer = (async () => {
        for (; writing; n++)
          await db.transaction(async (tx) => {
            await tx.run(
              "INSERT INTO images (id, status, is_public, created_at, deleted, min_disk, min_ram, protected) VALUES (?, 'queued', false, '2016-10-01 00:00:00', false, 0, 0, false)",
              [idOf(n)],
            );
            await tx.run(
              "INSERT INTO image_properties (image_id, name, value, created_at, deleted) VALUES (?, 'a', 'b', '2016-10-01 00:00:00', false)",
              [idOf(n)],
            );
          });
      })();
      const { manifest } = await backUp(backupOf(db, url, await makeFolder())).finally(async () => {
        writing = false;
        await writer;
      });
      assert(n > 1_000, "somebody wrote");
      assert.equal(manifest.rows.image_properties, (manifest.rows.images ?? 0) - 50);
    }));

  test(`${dialect}: a backup that cannot be made is refused in one line, and leaves nothing behind`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      const folder = await makeFolder();
      const inTheWay = join(folder, "a-file");
      writeFileSync(inTheWay, "");
      await assert.rejects(backUp(backupOf(db, url, join(inTheWay, "backups"))), {
        code: "db.backup_failed",
        message: /^the backup of .* into .* failed: .*; nothing was changed$/,
      });
      const stopped = new AbortController();
      const options = { ...backupOf(db, url, join(folder, "b")), signal: stopped.signal };
      const on = ({ stage }: BackupProgress) => {
        if (stage === "read_back") stopped.abort(new Error("stopped"));
      };
      await assert.rejects(backUp({ ...options, on }), { code: "db.backup_failed", message: /failed: stopped/ });
      assert.deepEqual(readdirSync(join(folder, "b")), []);
      const lock = await db.acquireLock("perennial-schema", 0);
      await assert.rejects(backUp(backupOf(db, url, join(folder, "b"))), { code: "schema.locked" });
      await lock.release();
      assert.deepEqual(readdirSync(join(folder, "b")), []);
      assert.deepEqual(await scratchDatabases(db, url), []);
    }));

  test(`${dialect}: a disk that is full, before or in the midst, is told in one line, and the same backup is made when there is room`, async (t) => {
    const disk = await mountSmallDisk(8);
    if (!disk) return t.skip(cannotMount);
    t.after(() => disk.remove());
    await withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 200);
      const refused = (why: RegExp) => ({
        code: "db.backup_failed",
        message: new RegExp(`^the backup of .* into ${disk.path} failed: ${why.source}; nothing was changed$`),
      });
      disk.fill();
      await assert.rejects(
        backUp(backupOf(db, url, disk.path)),
        refused(/(about .* MB are needed|the disk is full).*/),
      );
      await disk.free();
      // Somebody else fills it when there was room enough, and writing begins.
      const filling = new Proxy(db, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (name !== "query") return value.bind?.(target) ?? value;
          return (sql: string, ...rest: []) => {
            if (sql === "SELECT COUNT(*) AS n FROM images") disk.fill();
            return target.query(sql, ...rest);
          };
        },
      });
      await assert.rejects(backUp(backupOf(filling, url, disk.path)), refused(/the disk is full/));
      await disk.free();
      assert.deepEqual(readdirSync(disk.path), []);
      assert.equal((await backUp(backupOf(db, url, disk.path))).manifest.rows.images, 200);
    });
  });

  test(`${dialect}: a database that is not the image service's is not backed up as if it were`, () =>
    withTestDatabase(dialect, "empty", async ({ db, url }) => {
      await db.run("CREATE TABLE images (id int)");
      const folder = await makeFolder();
      await assert.rejects(backUp(backupOf(db, url, folder)), { code: "db.backup_failed", message: /version control/ });
      assert.deepEqual(readdirSync(folder), []);
    }));
}

test("backup: what a killed run left in the folder is removed, what a running one writes is not", () =>
  withTestDatabase("sqlite", "newton", async ({ db, url }) => {
    const folder = await makeFolder();
    const leave = (name: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "data.sqlite.zst"), "half");
    };
    // No process has this id: it is beyond the largest that Linux gives.
    leave(`dead.${2 ** 30}@${hostname()}.partial`);
    const others = [
      `alive.${process.pid}@${hostname()}.partial`,
      `elsewhere.${2 ** 30}@another-machine.partial`,
      "x.partial",
    ];
    for (const name of others) leave(name);
    await backUp({ ...backupOf(db, url, folder), label: "new" });
    const left = readdirSync(folder).filter((name) => !name.startsWith("new-at-"));
    assert.deepEqual(left.sort(), others.sort());
  }));

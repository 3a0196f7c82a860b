// What was backed up comes back whole, at every point of an upgrade; what is not sound, or not free to be replaced, is refused before
// anything is touched.
import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { newestRelease, releaseOf } from "../../releases/catalogue.ts";
import { createNodeRepository } from "../repositories/node-repository.ts";
import { contract } from "../schema/contract.ts";
import { liveNodes } from "../schema/contract-blockers.ts";
import { expand } from "../schema/expand.ts";
import { migrate } from "../schema/migrate.ts";
import { databaseReadiness } from "../schema/readiness.ts";
import { restoreMarkerTable } from "../schema/restore-marker.ts";
import { addMember, fillNewton, idOf } from "../schema/testing/rows.ts";
import { shapeOf } from "../schema/testing/shape.ts";
import { type TestDatabase, testDialects, withTestDatabase } from "../testing/databases.ts";
import { nodeRow } from "../testing/nodes.ts";
import { backUp } from "./back-up.ts";
import { manifestName, readBackup } from "./manifest.ts";
import { type RestoreOptions, restore } from "./restore.ts";
import { backupOf, fingerprint, makeFolder } from "./testing/folders.ts";

const phases = [expand, migrate, contract];
/** How many phases from Newton to the newest release have run. */
const states = { newton: 0, expanded: 2, contracted: 3 };

const into = (target: Pick<TestDatabase, "db" | "url">, file: string, more: Partial<RestoreOptions> = {}) =>
  restore({
    db: target.db,
    databaseUrl: target.url,
    file,
    replace: false,
    keepIn: dirname(file),
    signal: new AbortController().signal,
    ...more,
  });

for (const dialect of testDialects) {
  for (const [state, count] of Object.entries(states))
    test(`${dialect}: a ${state} database comes back elsewhere with the same schema and the same rows`, () =>
      withTestDatabase(dialect, "newton", async (source) => {
        const { db, url } = source;
        await fillNewton(db, 60);
        await db.run("UPDATE images SET name = ? WHERE id = ?", [`it's; (a) \\ "b" \n),('x');-- DEFINER=`, idOf(3)]);
        for (const phase of phases.slice(0, count)) await phase({ db, target: newestRelease });
        const { path } = await backUp(backupOf(db, url, await makeFolder()));
        await withTestDatabase(dialect, "empty", async (target) => {
          await into(target, path);
          const restored = await target.another();
          assert.deepEqual(await shapeOf(restored), await shapeOf(db));
          assert.deepEqual(await fingerprint(restored), await fingerprint(db));
          if (state !== "expanded") return;
          // Triggers came back at work: an old node's member makes a private image shared.
          for (const one of [db, restored]) await addMember(one, idOf(7), true, "blue");
          assert.deepEqual(await fingerprint(restored), await fingerprint(db));
        });
      }));

  test(`${dialect}: nodes and uploads of the backup's time are no longer at work after a restore`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 2);
      await createNodeRepository(db).claim(nodeRow("n1"), undefined);
      await db.run("UPDATE images SET status = 'saving' WHERE id = ?", [idOf(0)]);
      await db.run(
        `INSERT INTO perennial_uploads (image_id, lease_id, node, url, started_at, expires_at) VALUES (?, 'l', 'n1', 'file:///x', ${db.dialect.nowSql}, ${db.dialect.nowPlusSecondsSql})`,
        [idOf(0), 3_600],
      );
      const { path } = await backUp(backupOf(db, url, await makeFolder()));
      await withTestDatabase(dialect, "empty", async (target) => {
        const { uploadsCut } = await into(target, path);
        assert.equal(uploadsCut, 1);
        const restored = await target.another();
        assert.deepEqual(await liveNodes(restored), []);
        const left = `SELECT image_id FROM perennial_uploads WHERE expires_at > ${db.dialect.nowSql}`;
        assert.deepEqual(await restored.query(left), []);
        assert.equal((await restored.query("SELECT image_id FROM perennial_uploads")).length, 1);
      });
    }));

  test(`${dialect}: a database with tables is replaced only when asked, and is backed up first`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url, another }) => {
      await fillNewton(db, 20);
      const before = await fingerprint(db);
      const { path } = await backUp(backupOf(db, url, await makeFolder()));
      await db.run("DELETE FROM image_members");
      await expand({ db, target: releaseOf("ocata") });
      // One that never saw the columns of before.
      const fresh = await another();
      const changed = await fingerprint(fresh);
      await fresh.close();
      await assert.rejects(into({ db, url }, path), { code: "db.restore_refused", message: /not empty.*--replace/ });
      const { kept } = await into({ db, url }, path, { replace: true });
      const restored = await another();
      assert.deepEqual(await fingerprint(restored), before);
      assert(kept !== null);
      await into({ db: restored, url }, kept, { replace: true, keepIn: null });
      const again = await another();
      assert.deepEqual(await fingerprint(again), changed);
    }));

  test(`${dialect}: what is not sound or not free is refused, and nothing is changed`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 20);
      const { path, manifest } = await backUp(backupOf(db, url, await makeFolder()));
      const before = await fingerprint(db);
      const refused = async (message: RegExp, file = path) => {
        await assert.rejects(into({ db, url }, file, { replace: true }), { code: "db.restore_refused", message });
        assert.deepEqual(await fingerprint(db), before);
        assert.deepEqual(await databaseReadiness(db, releaseOf("newton")), { ready: true });
      };
      await createNodeRepository(db).claim(nodeRow("n1"), undefined);
      await refused(/nodes are alive: n1 .*stop them/);
      await createNodeRepository(db).remove("n1");
      const lock = await db.acquireLock("perennial-schema", 0);
      await assert.rejects(into({ db, url }, path, { replace: true }), { code: "schema.locked" });
      await lock.release();
      await refused(/no such file/, `${path}-none`);
      const text = readFileSync(join(path, manifestName), "utf8");
      const withManifest = (content: string) => writeFileSync(join(path, manifestName), content);
      withManifest(text.replace('"format": 2', '"format": 3'));
      await refused(/format 3.*newer/);
      withManifest(text.replace(`"dialect": "${dialect}"`, '"dialect": "another"'));
      await refused(/another database/);
      withManifest("{");
      await refused(/manifest is damaged/);
      withManifest('{"format": 2}');
      await refused(/not one of a backup/);
      withManifest(text);
      const data = join(path, manifest.file);
      const bytes = readFileSync(data);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      writeFileSync(data, bytes);
      await refused(/not what was written/, data);
      truncateSync(data, bytes.length - 1);
      await refused(/not what was written/, join(path, manifestName));
      assert.deepEqual(readBackup(data).manifest, manifest);
    }));

  test(`${dialect}: a restore that ends otherwise than its manifest says leaves an empty database empty`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 20);
      const { path } = await backUp(backupOf(db, url, await makeFolder()));
      const text = readFileSync(join(path, manifestName), "utf8");
      writeFileSync(join(path, manifestName), text.replace('"images": 20', '"images": 21'));
      await withTestDatabase(dialect, "empty", async (target) => {
        await assert.rejects(into(target, path), {
          code: "db.restore_failed",
          message: /failed: restored, images has 20 rows, and 21 were written; the database is empty$/,
        });
        writeFileSync(join(path, manifestName), text);
        await into(target, path);
      });
    }));
}

for (const dialect of testDialects.filter((name) => name !== "sqlite"))
  test(`${dialect}: on what a cut restore left no node starts and no phase runs, and the next restore goes through`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 5);
      const { path } = await backUp(backupOf(db, url, await makeFolder()));
      await db.run(`CREATE TABLE ${restoreMarkerTable} (label varchar(255) NOT NULL, started_at varchar(32) NOT NULL)`);
      const readiness = await databaseReadiness(db, releaseOf("newton"));
      assert(!readiness.ready && readiness.due === "restore" && /db restore/.test(readiness.why));
      await assert.rejects(expand({ db, target: releaseOf("ocata") }), { code: "schema.out_of_order" });
      await assert.rejects(backUp(backupOf(db, url, await makeFolder())), {
        code: "db.backup_failed",
        message: /db restore/,
      });
      assert.equal((await into({ db, url }, path)).kept, null);
      assert.deepEqual(await databaseReadiness(db, releaseOf("newton")), { ready: true });
    }));

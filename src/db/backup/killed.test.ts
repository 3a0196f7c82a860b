// kill -9 in the middle of `glance-manage db backup` and `db restore`: what is left is told from a whole one, and the same command run again
// ends as if nothing had been.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../../../test/servers/eventually.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { databaseReadiness } from "../schema/readiness.ts";
import { restoreMarkerTable } from "../schema/restore-marker.ts";
import { presentTables } from "../schema/schema-tools.ts";
import { fillNewton } from "../schema/testing/rows.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { backUp } from "./back-up.ts";
import { findBackup } from "./backup-folder.ts";
import { backupOf, fingerprint, makeFolder, scratchDatabases } from "./testing/folders.ts";

const script = fileURLToPath(new URL("../../../bin/glance-manage.js", import.meta.url));
const newton = releaseOf("newton");

async function start(url: string, ...args: readonly string[]) {
  const config = join(await makeFolder(), "glance-api.conf");
  writeFileSync(config, `[database]\nconnection = ${url}\n[perennial]\nrelease = newton\n`);
  const child = spawn(process.execPath, [script, "--config-file", config, "db", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = text(child.stderr);
  const ended = once(child, "exit").then(async ([code]) => ({ code: code as number | null, said: await said }));
  return { ended, kill: () => child.kill("SIGKILL") };
}

async function finish(url: string, ...args: readonly string[]): Promise<void> {
  const { code, said } = await (await start(url, ...args)).ended;
  assert.equal(code, 0, said);
}

for (const dialect of testDialects) {
  test(`${dialect}: a backup that was killed leaves no backup, and nothing once the next one is made`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 2_000);
      const folder = await makeFolder();
      const partials = () => readdirSync(folder).filter((name) => name.endsWith(".partial"));
      const moments: readonly (() => Promise<boolean> | boolean)[] = [
        () => partials().length > 0,
        () => partials().some((name) => readdirSync(join(folder, name)).some((file) => file.startsWith("data"))),
        // A database of its own stands, or on SQLite a file.
        async () =>
          (await scratchDatabases(db, url)).length > 0 ||
          partials().some((name) => readdirSync(join(folder, name)).some((file) => file.endsWith(".check"))),
      ];
      for (const moment of moments) {
        const run = await start(url, "backup", "--to", folder);
        // It may be quicker than our look, and then it is whole.
        const over = run.ended.then(() => true);
        await eventually("the moment of the kill", async () => (await moment()) || Promise.race([over, false]), {
          everyMs: 1,
          msMax: 60_000,
        });
        run.kill();
        await run.ended;
        for (const name of readdirSync(folder).filter((one) => !one.endsWith(".partial")))
          assert.equal(findBackup(folder, "glance-newton")?.manifest.rows.images, 2_000, name);
      }
      await finish(url, "backup", "--to", folder);
      assert.deepEqual(partials(), []);
      assert.deepEqual(await scratchDatabases(db, url), []);
      assert.equal(findBackup(folder, "glance-newton")?.manifest.verified, "restoring");
    }));

  test(`${dialect}: a restore that was killed is no database for a node, and is made whole by running it again`, () =>
    withTestDatabase(dialect, "newton", async ({ db, url }) => {
      await fillNewton(db, 2_000);
      const { path } = await backUp(backupOf(db, url, await makeFolder()));
      await withTestDatabase(dialect, "empty", async (target) => {
        const file = target.url.replace(/^sqlite:\/\//, "");
        // Nobody else may have a SQLite file open: it is looked at before and after.
        if (dialect === "sqlite") await target.db.close();
        const moments: readonly (() => Promise<boolean> | boolean)[] =
          dialect === "sqlite"
            ? [() => existsSync(`${file}.restoring`)]
            : [
                async () => (await presentTables(target.db)).has(restoreMarkerTable),
                async () => (await presentTables(target.db)).size > 3 || (await loading(target.db)),
              ];
        for (const moment of moments) {
          const run = await start(target.url, "restore", path);
          await eventually("the moment of the kill", moment, { everyMs: 1, msMax: 60_000 });
          run.kill();
          const { code } = await run.ended;
          assert.equal(code, null, "it was killed under way");
          const left = await target.another();
          const readiness = await databaseReadiness(left, newton);
          await left.close();
          assert(!readiness.ready);
          assert.equal(readiness.due, dialect === "sqlite" ? "sync" : "restore");
        }
        await finish(target.url, "restore", path);
        const whole = await target.another();
        assert.deepEqual(await fingerprint(whole), await fingerprint(db));
        assert.deepEqual(await databaseReadiness(whole, newton), { ready: true });
      });
    }));
}

/** PostgreSQL shows nothing of the transaction under way but its client. */
async function loading(db: Database): Promise<boolean> {
  if (db.dialect.name !== "postgresql") return false;
  const sql =
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND (query LIKE 'COPY%' OR query LIKE 'CREATE TABLE%')";
  return (await db.query(sql)).length > 0;
}

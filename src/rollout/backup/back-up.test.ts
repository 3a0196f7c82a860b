// The backup of a rollout where the database dies under it.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startCrashableMariadb } from "../../../test/servers/mariadb.ts";
import { openDatabase } from "../../db/connect.ts";
import { sync } from "../../db/schema/sync.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import { backUpForRollout } from "./back-up.ts";

test("a database that dies under its backup is away, which passes; the backup did not fail", async () => {
  const server = await startCrashableMariadb();
  const folder = await mkdtemp(join(tmpdir(), "perennial-backup-"));
  try {
    const databaseUrl = await server.createDatabase();
    const db = await openDatabase(databaseUrl);
    try {
      await sync({ db, target: releaseOf("newton") });
      const common = { db, databaseUrl, folder, rolloutId: "r", msMax: 120_000, signal: new AbortController().signal };
      const report = async (text: string) => {
        if (text.startsWith("restoring")) await server.crash();
      };
      await assert.rejects(backUpForRollout({ ...common, report }), { code: "db.unreachable" });
      await server.restart();
      const { manifest } = await backUpForRollout({ ...common, report: async () => undefined });
      assert.equal(manifest.rows.images, 0);
    } finally {
      await db.close();
    }
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
  }
});

// The server ends every connection of ours, again and again, in the midst of every phase, as an administrator or a failover does: the run
// ends with one line, or does not even notice; and running the same command again leads to the database that was to be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorText, isServiceError } from "../../core/errors.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database, Dialect } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { contract } from "./contract.ts";
import type { EngineEvent, EngineOptions } from "./engine-run.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { fillNewton, heads, migratedRows, visibilityById } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";

const ocata = releaseOf("ocata");
const rows = 120;
const backfill = { batchRows: 25, batchRowsMax: 25 };
const limits = { rebuildRowsMax: 0 };
/** Connections are cut at every so many-th thing that a run tells of. */
const every = 3;

const others: Record<Exclude<Dialect["name"], "sqlite">, { readonly list: string; kill(id: number): string }> = {
  mysql: {
    list: "SELECT id AS id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    kill: (id) => `KILL ${id}`,
  },
  postgresql: {
    list: "SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    kill: (id) => `SELECT pg_terminate_backend(${id})`,
  },
};

/**
 * Ends all connections to the database but those of `admin`, whose pool holds one. MariaDB lists a connection under another database while it reads
 * that one's triggers: nobody on the server may, or it is ended too.
 */
async function cutAll(admin: Database, dialect: keyof typeof others): Promise<void> {
  const { list, kill } = others[dialect];
  for (const { id } of await admin.query<{ id: number }>(list))
    await admin.query(kill(id)).catch((error: unknown) => {
      // It went by itself in between.
      if (!isServiceError(error, "db.statement_failed")) throw error;
    });
}

type Cuts = { readonly places: string[]; readonly failures: string[] };

/** Runs the phase until it comes through, cutting at places nobody saw before. */
async function throughCuts(
  act: (on: EngineOptions["on"]) => Promise<unknown>,
  cut: () => Promise<void>,
  cuts: Cuts,
): Promise<void> {
  const seen = new Set<string>();
  for (let run = 1; ; run++) {
    const cutting: Promise<void>[] = [];
    const on = (event: EngineEvent) => {
      const place = placeOf(event);
      if (place === null || seen.has(place)) return;
      seen.add(place);
      if (seen.size % every !== 0) return;
      cuts.places.push(place);
      cutting.push(cut());
    };
    let failure: unknown = null;
    try {
      await act(on);
    } catch (error) {
      failure = error;
    }
    await Promise.all(cutting);
    if (failure === null) return;
    assert(isServiceError(failure, "db.unreachable"), errorText(failure));
    assert.match(failure.message, /^[^\n]+: run the same command again, and it goes on$/);
    cuts.failures.push(failure.message);
    assert(run < 100, "each run gets further than the one before");
  }
}

function placeOf(event: EngineEvent): string | null {
  if (event.event === "step" && event.status !== "already_applied")
    return `${event.phase}: ${event.step}: ${event.status} ${event.detail?.replace(/\d+/g, "n") ?? ""}`;
  return event.event === "progress" ? `${event.phase}: at ${event.rowsDone}` : null;
}

for (const dialect of testDialects.filter((name) => name !== "sqlite"))
  test(`lost connection: every phase ends in one line and goes on when it is run again (${dialect})`, async (t) => {
    const finished = await withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      for (const act of [expand, migrate, contract]) await act({ db, target: ocata });
      return { heads: await heads(db), shape: await shapeOf(db) };
    });
    await withTestDatabase(dialect, "newton", async ({ db, another }) => {
      await fillNewton(db, rows);
      const admin = await another({ poolSizeMax: 1 });
      const cuts: Cuts = { places: [], failures: [] };
      for (const act of [expand, migrate, contract])
        await throughCuts(
          (on = () => undefined) => act({ db, target: ocata, on, backfill, limits, engineLockMs: 60_000 }),
          () => cutAll(admin, dialect),
          cuts,
        );
      assert.deepEqual({ heads: await heads(db), shape: await shapeOf(db) }, finished);
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
      assert(cuts.places.length >= 8, `cut at ${cuts.places.length} places`);
      assert(cuts.failures.length > 0, "some runs end");
      t.diagnostic(
        `cut at ${cuts.places.length} places, ${cuts.failures.length} runs ended, such as: ${cuts.failures[0]}`,
      );
    });
  });

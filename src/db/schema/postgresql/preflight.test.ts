// What is missing is said before anything is touched: versions, privileges, owners, schemas, read-only servers; and who may hold it up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../../releases/catalogue.ts";
import { openDatabase } from "../../connect.ts";
import type { Database } from "../../database.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { unknownConnections } from "../contract-blockers.ts";
import { expand } from "../expand.ts";
import { planPhases } from "../plan.ts";
import { readFindings } from "../schema-tools.ts";
import type { Change } from "../step.ts";
import { sync } from "../sync.ts";
import { shapeOf } from "../testing/shape.ts";
import { classOf } from "./ddl-class.ts";
import { postgresqlPreflight } from "./preflight.ts";
import type { PostgresqlServer } from "./server.ts";
import { lookingBack, readingImages, withOpenTransaction } from "./testing/open-transaction.ts";

const ocata = releaseOf("ocata");

const version = (major: number): PostgresqlServer => ({ major, text: `${major}.1`, deadlockMs: 1_000 });
const alter = (clause: string): Change => ({
  do: "statement",
  kind: "column",
  table: "images",
  sql: `ALTER TABLE images ${clause}`,
});

test("cost: what a change costs follows from the server's version", () => {
  const require = alter("ALTER COLUMN visibility SET NOT NULL");
  assert.equal(classOf(require, version(12)).cost, "instant");
  assert.equal(classOf(require, version(11)).cost, "locked_scan");
  assert.equal(classOf(alter("ADD COLUMN os_hidden boolean DEFAULT false NOT NULL"), version(11)).cost, "instant");
  const validate: Change = { ...alter("VALIDATE CONSTRAINT x"), do: "statement", kind: "rows" } as Change;
  assert.deepEqual(classOf(validate, version(15)), { lock: "ShareUpdateExclusiveLock", patient: true, cost: "scan" });
  const build: Change = { do: "build_index", table: "images", name: "x", columns: ["id"] };
  assert.equal(classOf(build, version(15)).cost, "index_build");
});

/** A role of this database's own, that goes with it; `work` is connected as it. */
async function asRole<T>(db: Database, url: string, work: (limited: Database, role: string) => Promise<T>): Promise<T> {
  const role = `limited_${new URL(url).pathname.slice(1)}`;
  await db.run(`CREATE ROLE ${role} LOGIN`);
  try {
    const limited = await openDatabase(url.replace("//postgres@", `//${role}@`));
    try {
      return await work(limited, role);
    } finally {
      await limited.close();
    }
  } finally {
    await db.run(`DROP OWNED BY ${role} CASCADE`);
    await db.run(`DROP ROLE ${role}`);
  }
}

if (testDialects.includes("postgresql")) {
  test("preflight: a role that owns nothing is told all at once, by name, and nothing is changed (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, url }) => {
      const before = await shapeOf(db);
      await asRole(db, url, async (limited, role) => {
        await db.run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
        await assert.rejects(expand({ db: limited, target: ocata }), {
          code: "schema.preflight_failed",
          message: new RegExp(
            `GRANT CREATE ON SCHEMA public TO ${role}; role postgres owns \\d+ objects, such as table \\w+,.*GRANT postgres TO ${role}`,
          ),
        });
        assert.deepEqual(await shapeOf(db), before);
        await db.run(`GRANT CREATE ON SCHEMA public TO ${role}`);
        await db.run(`GRANT postgres TO ${role}`);
        assert.equal((await expand({ db: limited, target: ocata })).outcome, "expanded");
        const { notes } = await readFindings(limited, "contract");
        assert.match(notes.join("; "), new RegExp(`belongs to role postgres, .* will belong to ${role}`));
        await db.run(`REVOKE postgres FROM ${role}`);
      });
    }));

  test("preflight: a read-only database is refused with the setting that makes it so (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, url, another }) => {
      await db.run(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_read_only = on`);
      const { problems } = await readFindings(await another(), "expand");
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? "", /default_transaction_read_only/);
    }));

  test("preflight: a search_path that leads nowhere, or away from the tables, is refused (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, url }) => {
      const problemsWith = async (path: string) => {
        const there = await openDatabase(`${url}?options=-csearch_path%3D${path}`);
        try {
          return (await readFindings(there, "expand")).problems.join("; ");
        } finally {
          await there.close();
        }
      };
      await db.run("CREATE SCHEMA other");
      assert.match(await problemsWith("nowhere"), /no schema of the search_path of postgres exists/);
      assert.match(await problemsWith("other,public"), /images is in schema public, and new tables .* in schema other/);
      assert.equal(await problemsWith("public,other"), "");
    }));

  test("preflight: open transactions and logical replication are told, not refused (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await withOpenTransaction(await another(), readingImages, async (_end, pid) => {
        // Its age is what the server says; the test does not wait for it.
        const { problems, notes } = await postgresqlPreflight(db, "expand", 0);
        assert.deepEqual(problems, []);
        assert(
          notes.some((note) => note.includes(`process ${pid} (postgres@`)),
          notes.join("; "),
        );
      });
    }));

  test("plan: each step has its cost on this server, and a plan changes nothing (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db }) => {
      const before = await shapeOf(db);
      const costs = Object.fromEntries((await planPhases(db, ocata)).map((step) => [step.step, step.cost]));
      assert.equal(costs["add column images.visibility"], "instant");
      assert.equal(costs["add index visibility_image_idx on images"], "index_build");
      assert.equal(costs["require images.visibility, default shared"], "scan");
      assert.equal(costs["drop column images.is_public"], "instant");
      assert.deepEqual(await shapeOf(db), before);
    }));

  test("contract: connections of other roles are told with where they come from (postgresql)", () =>
    withTestDatabase("postgresql", "expanded", async ({ db, url }) => {
      await asRole(db, url, async (limited, role) => {
        await db.run(`GRANT SELECT ON perennial_nodes TO ${role}`);
        await withOpenTransaction(limited, lookingBack, async () => {
          const told = await unknownConnections(db);
          assert.equal(told.length, 1);
          assert.match(
            told[0] ?? "",
            new RegExp(`connections of ${role} from 127\\.0\\.0\\.1 belong to no registered`),
          );
          // Who may not see where they come from says so.
          const seen = await unknownConnections(limited);
          assert.match(seen.join("; "), /connections of postgres from a host we may not see/);
        });
      });
    }));

  test("sync: a fresh database is made in the first schema of the search_path (postgresql)", () =>
    withTestDatabase("postgresql", "empty", async ({ db, url }) => {
      await db.run("CREATE SCHEMA cloud");
      const there = await openDatabase(`${url}?options=-csearch_path%3Dcloud`);
      try {
        await sync({ db: there, target: ocata });
        const schemas = await db.query<{ schema: string }>(
          "SELECT DISTINCT schemaname AS schema FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        );
        assert.deepEqual(schemas, [{ schema: "cloud" }]);
      } finally {
        await there.close();
      }
    }));
}

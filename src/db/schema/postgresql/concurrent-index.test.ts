// Index builds that die in the middle, or find that an earlier one still goes on in the server: in the end there is one valid index, and
// who builds waits for others without holding anybody up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import type { Database } from "../../database.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import type { LockLimits } from "../executor.ts";
import { expand } from "../expand.ts";
import { readLiveSchema, withExecutor } from "../schema-tools.ts";
import type { Change } from "../step.ts";
import { fillNewton } from "../testing/rows.ts";
import { longestStall, lookingBack, withOpenTransaction } from "./testing/open-transaction.ts";

const ocata = releaseOf("ocata");
const name = "perennial_try";
const build: Change = { do: "build_index", table: "images", name, columns: ["size", "id"] };
const drop: Change = { do: "drop_index", table: "images", name };
const create = `CREATE INDEX CONCURRENTLY ${name} ON images (size, id)`;

type Told = { readonly waiting: string[]; readonly working: string[] };

async function apply(
  db: Database,
  change: Change,
  options: { limits?: Partial<LockLimits>; signal?: AbortSignal; told?: Told } = {},
): Promise<void> {
  await withExecutor(db, options.limits ?? {}, (executor) =>
    executor.apply(
      { name: `${change.do} ${name}`, changes: [change], isApplied: () => false },
      {
        signal: options.signal ?? new AbortController().signal,
        waiting: (detail) => options.told?.waiting.push(detail),
        working: (detail) => options.told?.working.push(detail),
        pace: async () => assert.fail("an index is built by one statement"),
      },
    ),
  );
}

type State = { readonly oid: number; readonly valid: boolean };

async function stateOf(db: Database): Promise<State | undefined> {
  const [row] = await db.query<State>(
    "SELECT indexrelid::bigint AS oid, indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass(?)",
    [name],
  );
  return row;
}

/** The backend that runs a statement about the index, once it waits for somebody. Other files' tests do the like on the same server. */
async function builderOf(db: Database, verb = "CREATE"): Promise<number> {
  let pid = 0;
  await eventually("a statement on the index waits", async () => {
    const [row] = await db.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND query LIKE ? AND state = 'active' AND cardinality(pg_blocking_pids(pid)) > 0`,
      [`${verb} INDEX CONCURRENTLY%`],
    );
    pid = row?.pid ?? 0;
    return pid !== 0;
  });
  return pid;
}

const terminate = (db: Database, pid: number) => db.query("SELECT pg_terminate_backend(?)", [pid]);

if (testDialects.includes("postgresql")) {
  test("concurrent index: a build whose backend was killed is made anew (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await withOpenTransaction(await another(), lookingBack, async () => {
        const building = assert.rejects(apply(db, build), { code: "db.unreachable" });
        await terminate(db, await builderOf(db));
        await building;
      });
      const left = await stateOf(db);
      assert.equal(left?.valid, false, "a killed build leaves an invalid index");
      const schema = await readLiveSchema(db);
      assert(!schema.hasIndex("images", name), "which counts as none");
      await apply(db, build);
      const made = await stateOf(db);
      assert.equal(made?.valid, true);
      assert.notEqual(made?.oid, left?.oid);
    }));

  test("concurrent index: what an earlier run's backend still builds is waited for, not built twice (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      const told: Told = { waiting: [], working: [] };
      await withOpenTransaction(await another(), lookingBack, async (end) => {
        const orphan = db.session((session) => session.run(create));
        const pid = await builderOf(db);
        const begun = await stateOf(db);
        const building = apply(db, build, { told });
        await eventually("the second run tells of the first", async () => told.waiting.length > 0);
        assert.match(told.waiting[0] ?? "", new RegExp(`process ${pid}, left by an earlier run`));
        end();
        await Promise.all([orphan, building]);
        assert.deepEqual(await stateOf(db), { oid: begun?.oid, valid: true });
      });
    }));

  test("concurrent index: a backend left by a killed run is ended when the budget ends, and named (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await withOpenTransaction(await another(), lookingBack, async (_end, holder) => {
        const orphan = assert.rejects(db.session((session) => session.run(create)));
        await builderOf(db);
        await assert.rejects(apply(db, build, { limits: { lockBudgetMs: 500 } }), {
          code: "schema.blocked",
          message: new RegExp(`in the way: process ${holder} `),
        });
        await orphan;
      });
      await apply(db, build);
      assert.equal((await stateOf(db))?.valid, true);
    }));

  test("concurrent index: a budget that ends cancels the build, which held nobody up (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await fillNewton(db, 50);
      const other = await another();
      const longestMs = await longestStall(other, 50, () =>
        withOpenTransaction(other, lookingBack, async (_end, holder) => {
          await assert.rejects(apply(db, build, { limits: { lockBudgetMs: 1_500 } }), {
            code: "schema.blocked",
            message: new RegExp(`process ${holder} \\(postgres@.*idle in its transaction`),
          });
        }),
      );
      assert(longestMs < 450, `an update was held up for ${Math.round(longestMs)} ms`);
      const [busy] = await db.query<{ n: number }>(
        `SELECT COUNT(*) AS n FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'CREATE INDEX%' AND state = 'active'`,
      );
      assert.equal(busy?.n, 0, "nothing works on after us");
      await apply(db, build);
      assert.equal((await stateOf(db))?.valid, true);
    }));

  test("concurrent index: a run that is told to end cancels the build (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await withOpenTransaction(await another(), lookingBack, async () => {
        const ending = new AbortController();
        const building = assert.rejects(apply(db, build, { signal: ending.signal }), /told to end/);
        await builderOf(db);
        ending.abort(new Error("told to end"));
        await building;
      });
      await apply(db, build);
      await apply(db, build);
      assert.equal((await stateOf(db))?.valid, true);
    }));

  test("concurrent index: a removal whose backend was killed is finished by the next expand (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await apply(db, build);
      await withOpenTransaction(await another(), ["BEGIN", "SELECT COUNT(*) FROM images"], async () => {
        const dropping = assert.rejects(apply(db, drop), { code: "db.unreachable" });
        await terminate(db, await builderOf(db, "DROP"));
        await dropping;
      });
      assert.equal((await stateOf(db))?.valid, false);
      assert.deepEqual((await readLiveSchema(db)).table("images")?.unfinishedIndexes, [name]);
      await expand({ db, target: ocata });
      assert.equal(await stateOf(db), undefined);
      await apply(db, drop);
    }));
}

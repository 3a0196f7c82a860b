// Builds and drops indexes while everybody reads and writes on. Such a statement is made of several transactions, so whoever is killed
// in it leaves an index that is there, costs every writer, and serves no query: it is invalid. And a backend whose client was killed may
// go on with it for long. So whatever stands or works under the name is looked at first, and again after every failure.
import type { Queryable } from "../../database.ts";
import { whoBlocks } from "../blocker.ts";
import { sqlStateOf } from "../driver-error.ts";
import type { LockBudget } from "../lock-budget.ts";
import { oldSeconds, pollMs } from "../polite-ddl.ts";
import type { Change } from "../step.ts";
import type { BlockerWatch, PostgresqlBlocker } from "./blockers.ts";
import type { PatientAttempt, PatientDdl } from "./patient-ddl.ts";

export type IndexBuild = Extract<Change, { do: "build_index" }>;
export type IndexRemoval = Extract<Change, { do: "drop_index" }>;

/** Met somebody in a deadlock, or somebody came first: looked at again, this often. */
const attemptsMax = 5;
const lookAgainStates: ReadonlySet<string> = new Set(["40P01", "40001", "42P07", "42704"]);

type IndexState = "absent" | "invalid" | "valid";

export type ConcurrentTools = {
  readonly patient: PatientDdl;
  readonly watcher: Queryable;
  readonly watch: BlockerWatch;
  readonly budget: LockBudget;
  /** Our own backends. */
  readonly ownIds: readonly (number | null)[];
};

/** Returns when the index is there and valid. */
export async function buildIndex(tools: ConcurrentTools, build: IndexBuild, attempt: PatientAttempt): Promise<void> {
  const { name, table, columns } = build;
  await reach(tools, build, attempt, "valid", async (state) => {
    if (state === "invalid") {
      attempt.working(`dropping what an earlier build of ${name} left`);
      return tools.patient.run(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`, attempt);
    }
    await letOldOnesEnd(tools, build, attempt);
    await tools.patient.run(`CREATE INDEX CONCURRENTLY ${name} ON ${table} (${columns.join(", ")})`, attempt);
  });
}

/** Returns when no such index is there, valid or not. */
export async function dropIndex(tools: ConcurrentTools, removal: IndexRemoval, attempt: PatientAttempt): Promise<void> {
  await reach(tools, removal, attempt, "absent", () =>
    tools.patient.run(`DROP INDEX CONCURRENTLY IF EXISTS ${removal.name}`, attempt),
  );
}

async function reach(
  tools: ConcurrentTools,
  index: { readonly name: string; readonly table: string },
  attempt: PatientAttempt,
  wanted: IndexState,
  work: (state: IndexState) => Promise<void>,
): Promise<void> {
  for (let failures = 0; ; ) {
    attempt.signal.throwIfAborted();
    await outlastOthers(tools, index.name, attempt);
    const state = await stateOf(tools.watcher, index);
    if (state === wanted) return;
    try {
      await work(state);
    } catch (error) {
      if (++failures >= attemptsMax || !lookAgainStates.has(sqlStateOf(error) ?? "")) throw error;
    }
  }
}

async function stateOf(db: Queryable, { name, table }: { name: string; table: string }): Promise<IndexState> {
  const [row] = await db.query<{ valid: boolean }>(
    `SELECT x.indisvalid AS valid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
     WHERE x.indrelid = to_regclass(?) AND i.relname = ?`,
    [table, name],
  );
  if (row === undefined) return "absent";
  return row.valid ? "valid" : "invalid";
}

/** Statements about this index that somebody else's backend runs: an earlier run's, whose client is gone. */
async function outlastOthers(tools: ConcurrentTools, name: string, attempt: PatientAttempt): Promise<void> {
  const own = tools.ownIds.filter((id) => id !== null).join(", ") || "0";
  const pattern = `^\\s*(create|drop) index concurrently (if (not )?exists )?${name}\\M`;
  const others = () =>
    tools.watcher.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid NOT IN (${own}) AND query ~* ?`,
      [pattern],
    );
  for (const { pid } of await others()) {
    attempt.waiting(`process ${pid}, left by an earlier run, still works on index ${name}`);
    await tools.patient.outlast(pid, async () => !(await others()).some((one) => one.pid === pid), attempt);
  }
}

/** A build waits for every transaction that is older than its steps; begun beside an old one it would only cost writers for longer. */
async function letOldOnesEnd(tools: ConcurrentTools, { table }: IndexBuild, attempt: PatientAttempt): Promise<void> {
  for (let told = false; ; told = true) {
    const old = (await inTheWay(tools, table)).filter((one) => one.seconds >= oldSeconds && !one.isAutovacuum);
    if (old.length === 0) return;
    if (!told) attempt.waiting(`waits without holding anybody up; ${whoBlocks(old, tools.budget.nobodySeen)}`);
    await tools.budget.pause(pollMs, attempt, old);
  }
}

async function inTheWay({ watch, ownIds }: ConcurrentTools, table: string): Promise<readonly PostgresqlBlocker[]> {
  return [...(await watch.holders(table, "ShareLock", ownIds)), ...(await watch.snapshots(ownIds))];
}

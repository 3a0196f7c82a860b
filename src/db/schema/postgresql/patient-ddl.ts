// Runs a statement that holds nobody up, however long it waits or works: index builds, and proofs that read the whole table. A second
// session watches it, tells how far it is and whom it waits for, and cancels it when the budget for waiting ends or the run does.
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../../database.ts";
import { whoBlocks } from "../blocker.ts";
import { sqlStateOf } from "../driver-error.ts";
import type { LockBudget } from "../lock-budget.ts";
import type { BlockerWatch, PostgresqlBlocker } from "./blockers.ts";
import { type PostgresqlServer, showsIndexBuilds } from "./server.ts";

export type PatientAttempt = {
  readonly step: string;
  readonly table: string;
  readonly signal: AbortSignal;
  /** What it waits for. */
  waiting(detail: string): void;
  /** How far it is. */
  working(detail: string): void;
};

const pollMs = 100;
const tellEveryMs = 1_000;
const canceled = "57014";

type Progress = { phase: string; done: number; total: number };

export class PatientDdl {
  readonly #session: Session;
  readonly #watcher: Session;
  readonly #watch: BlockerWatch;
  readonly #budget: LockBudget;
  readonly #server: PostgresqlServer;

  constructor(session: Session, watcher: Session, watch: BlockerWatch, budget: LockBudget, server: PostgresqlServer) {
    this.#session = session;
    this.#watcher = watcher;
    this.#watch = watch;
    this.#budget = budget;
    this.#server = server;
  }

  /** Throws schema.blocked, the signal's reason, and the statement's own errors. */
  async run(sql: string, attempt: PatientAttempt): Promise<void> {
    // Of the session, because an index build stands in no transaction that could have settings of its own.
    const [before] = await this.#session.query<{ lock: string; statement: string }>(
      "SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement",
    );
    await this.#session.run("SET lock_timeout = 0; SET statement_timeout = 0");
    try {
      await this.#runWatched(sql, attempt);
    } finally {
      // A lost connection has lost its settings, too.
      await this.#session
        .run(`SET lock_timeout = '${before?.lock}'; SET statement_timeout = '${before?.statement}'`)
        .catch(() => undefined);
    }
  }

  async #runWatched(sql: string, attempt: PatientAttempt): Promise<void> {
    const ended = new AbortController();
    const running = this.#session.run(sql).finally(() => ended.abort());
    const watching = this.#follow(this.#session.connectionId ?? 0, ended.signal, attempt);
    const [statement, watched] = await Promise.allSettled([running, watching]);
    // A cancel that came when the statement had just ended would hit the next one: this one takes it.
    if (watched.status === "rejected") await this.#session.run("SELECT 1").catch(passCancel);
    if (statement.status === "fulfilled") return;
    if (watched.status === "rejected" && sqlStateOf(statement.reason) === canceled) throw watched.reason;
    throw statement.reason;
  }

  /** Waits for the end of a statement that a killed run left behind in the server. Throws as `run` does. */
  async outlast(pid: number, isOver: () => Promise<boolean>, attempt: PatientAttempt): Promise<void> {
    const ended = new AbortController();
    const asking = (async () => {
      while (!ended.signal.aborted && !(await isOver())) await sleep(pollMs);
      ended.abort();
    })();
    const watching = this.#follow(pid, ended.signal, attempt).finally(() => ended.abort());
    const [, watched] = await Promise.allSettled([asking, watching]);
    if (watched.status === "rejected") throw watched.reason;
    await asking;
  }

  /** Until `ended`. Only waiting counts against the budget, not work. */
  async #follow(pid: number, ended: AbortSignal, attempt: PatientAttempt): Promise<void> {
    let toldMs = Number.NEGATIVE_INFINITY;
    for (let lastMs = performance.now(); ; ) {
      await sleep(pollMs, undefined, { signal: ended }).catch(() => undefined);
      if (ended.aborted) return;
      const blockers = await this.#watch.blockersOf(pid);
      const nowMs = performance.now();
      if (blockers.length > 0) this.#budget.spend(nowMs - lastMs);
      lastMs = nowMs;
      if (attempt.signal.aborted || (blockers.length > 0 && this.#budget.spentPart >= 1)) {
        await this.#cancel(pid);
        attempt.signal.throwIfAborted();
        throw this.#budget.blocked(attempt, blockers);
      }
      if (nowMs - toldMs < tellEveryMs) continue;
      toldMs = nowMs;
      await this.#tell(pid, blockers, attempt);
    }
  }

  async #tell(pid: number, blockers: readonly PostgresqlBlocker[], attempt: PatientAttempt): Promise<void> {
    if (blockers.length > 0)
      return attempt.waiting(`waits without holding anybody up; ${whoBlocks(blockers, this.#budget.nobodySeen)}`);
    const progress = await this.#progressOf(pid);
    if (progress === undefined) return;
    const part = progress.total > 0 ? `, ${Math.floor((100 * progress.done) / progress.total)} %` : "";
    attempt.working(`${progress.phase}${part}`);
  }

  async #progressOf(pid: number): Promise<Progress | undefined> {
    if (!showsIndexBuilds(this.#server)) return undefined;
    const [progress] = await this.#watcher.query<Progress>(
      `SELECT phase, GREATEST(blocks_done, tuples_done)::float8 AS done, GREATEST(blocks_total, tuples_total)::float8 AS total
       FROM pg_stat_progress_create_index WHERE pid = ${pid}`,
    );
    return progress;
  }

  async #cancel(pid: number): Promise<void> {
    try {
      await this.#watcher.run(`SELECT pg_cancel_backend(${pid})`);
    } catch (error) {
      // The statement of another role, left behind by another run: it is left to its end.
      if (sqlStateOf(error) !== "42501") throw error;
    }
  }
}

function passCancel(error: unknown): void {
  if (sqlStateOf(error) !== canceled) throw error;
}

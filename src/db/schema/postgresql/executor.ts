// Carries out changes on PostgreSQL. What others would have to wait for runs politely (../polite-ddl.ts), all statements in a row as one
// transaction; what holds nobody up runs patiently (patient-ddl.ts), each statement alone; indexes are built and dropped concurrently.
import type { Session } from "../../database.ts";
import { sqlStateOf } from "../driver-error.ts";
import type { ExecutorListener, LockLimits, SchemaExecutor, StepChanges } from "../executor.ts";
import type { LiveSchema } from "../live-schema.ts";
import { LockBudget } from "../lock-budget.ts";
import { PoliteDdl } from "../polite-ddl.ts";
import type { Change } from "../step.ts";
import { BlockerWatch } from "./blockers.ts";
import { buildIndex, type ConcurrentTools, dropIndex } from "./concurrent-index.ts";
import { classOf, type DdlClass } from "./ddl-class.ts";
import { readPostgresqlSchema } from "./introspect.ts";
import { PostgresqlLockGuard } from "./lock-guard.ts";
import { PatientDdl } from "./patient-ddl.ts";
import { noticesLostClients, type PostgresqlServer } from "./server.ts";

/** Statements that follow each other and can be one transaction, or one change that stands alone. */
type Part = { readonly changes: readonly Change[]; readonly class: DdlClass };

export class PostgresqlExecutor implements SchemaExecutor {
  readonly #session: Session;
  readonly #server: PostgresqlServer;
  readonly #budget: LockBudget;
  readonly #guard: PostgresqlLockGuard;
  readonly #concurrent: ConcurrentTools;

  /** `session` runs the DDL, `watcher` is another connection of the same user. */
  constructor(session: Session, watcher: Session, server: PostgresqlServer, limits: LockLimits) {
    this.#session = session;
    this.#server = server;
    this.#budget = new LockBudget(limits, "whoever held it is gone again");
    const watch = new BlockerWatch(watcher);
    this.#guard = new PostgresqlLockGuard(session, watch, server, limits);
    const patient = new PatientDdl(session, watcher, watch, this.#budget, server);
    const ownIds = [session.connectionId, watcher.connectionId];
    this.#concurrent = { patient, watcher, watch, budget: this.#budget, ownIds };
  }

  /** The server ends our statements soon after we died, so that the next run need not wait for them. */
  async prepare(): Promise<void> {
    if (noticesLostClients(this.#server)) await this.#session.run("SET client_connection_check_interval = 1000");
  }

  introspect(): Promise<LiveSchema> {
    return readPostgresqlSchema(this.#session);
  }

  async apply(step: StepChanges, listener: ExecutorListener): Promise<void> {
    const isDone = async () => step.isApplied(await this.introspect());
    try {
      for (const part of this.#partsOf(step.changes)) {
        listener.signal.throwIfAborted();
        await this.#run(step.name, part, isDone, listener);
      }
    } catch (error) {
      // An earlier run's statement may have come through in the meantime; of what the server did not say, it says so now.
      if (sqlStateOf(error) === undefined || !(await isDone())) throw error;
    }
  }

  #partsOf(changes: readonly Change[]): readonly Part[] {
    const parts: Part[] = [];
    for (const change of changes) {
      const its = classOf(change, this.#server);
      const last = parts.at(-1);
      if (last && !its.patient && !last.class.patient && its.cost === last.class.cost) {
        const strongest = its.lock === "AccessExclusiveLock" ? its : last.class;
        parts[parts.length - 1] = { changes: [...last.changes, change], class: strongest };
      } else parts.push({ changes: [change], class: its });
    }
    return parts;
  }

  async #run(
    step: string,
    { changes, class: its }: Part,
    isDone: () => Promise<boolean>,
    { signal, ...listener }: ExecutorListener,
  ): Promise<void> {
    const [first] = changes;
    if (first === undefined) return;
    const waiting = (detail: string) => listener.waiting(detail);
    const working = (detail: string) => listener.working(detail);
    const { table } = first;
    const patient = { step, table, signal, waiting, working };
    if (first.do === "build_index") return buildIndex(this.#concurrent, first, patient);
    if (first.do === "drop_index") return dropIndex(this.#concurrent, first, patient);
    const sql = changes.flatMap((change) => (change.do === "statement" ? [change.sql] : [])).join(";\n");
    if (its.patient) return this.#concurrent.patient.run(sql, patient);
    const polite = new PoliteDdl(this.#guard.meansFor(its), this.#budget);
    await polite.run({ step, sql, table, expensive: false, isDone, waiting, signal });
  }
}

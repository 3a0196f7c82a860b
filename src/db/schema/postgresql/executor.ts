// Carries out changes on PostgreSQL: each statement a transaction of its own under lock_timeout, indexes built concurrently.
import type { Session } from "../../database.ts";
import type { ExecutorListener, LockLimits, SchemaExecutor, StepChanges } from "../executor.ts";
import type { LiveSchema } from "../live-schema.ts";
import type { Change } from "../step.ts";
import { readPostgresqlSchema } from "./introspect.ts";

export class PostgresqlExecutor implements SchemaExecutor {
  readonly #session: Session;
  readonly #limits: LockLimits;

  constructor(session: Session, limits: LockLimits) {
    this.#session = session;
    this.#limits = limits;
  }

  introspect(): Promise<LiveSchema> {
    return readPostgresqlSchema(this.#session);
  }

  async apply(step: StepChanges, listener: ExecutorListener): Promise<void> {
    await this.#session.run(`SET lock_timeout = ${this.#limits.lockWaitMsMax}`);
    for (const change of step.changes) {
      listener.signal.throwIfAborted();
      await this.#run(change);
    }
  }

  async #run(change: Change): Promise<void> {
    if (change.do === "statement") await this.#session.run(change.sql);
    else if (change.do === "build_index")
      await this.#session.run(`CREATE INDEX ${change.name} ON ${change.table} (${change.columns.join(", ")})`);
    else throw new TypeError("PostgreSQL changes tables by statements of its own");
  }
}

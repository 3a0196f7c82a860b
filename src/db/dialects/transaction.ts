// One transaction on one connection, the same for every dialect: begin, work, commit, or roll back; and what a failure tells the retry wrapper.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Queryable, Row, SqlValue } from "../database.ts";

/** What a dialect's connection does besides statements. */
export interface TransactionConnection extends Queryable {
  begin(): Promise<void>;
  commit(): Promise<void>;
  /** Never throws: where rolling back fails, the connection is given up, which rolls back too. */
  rollback(): Promise<void>;
}

/**
 * Runs `work` between BEGIN and COMMIT. An error thrown before COMMIT was sent never has an unknown outcome: whatever happened to the
 * connection, the server rolls back.
 */
export async function runTransaction<T>(
  connection: TransactionConnection,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const tx = new GuardedTransaction(connection);
  let result: T;
  try {
    await connection.begin();
    result = await work(tx);
    tx.end();
  } catch (error) {
    tx.close();
    await connection.rollback();
    throw isServiceError(error, "db.unreachable") ? withoutOutcome(error) : error;
  }
  try {
    await connection.commit();
  } catch (error) {
    await connection.rollback();
    throw error;
  }
  return result;
}

/**
 * After a deadlock the server has left the transaction, and later statements would be committed one by one; so after a failure of that
 * kind nothing more is let through, even if `work` carried on.
 */
class GuardedTransaction implements Queryable {
  readonly #connection: Queryable;
  #failure: unknown;
  #closed = false;

  constructor(connection: Queryable) {
    this.#connection = connection;
  }

  query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    return this.#guard(() => this.#connection.query<R>(sql, params));
  }

  run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }> {
    return this.#guard(() => this.#connection.run(sql, params));
  }

  async #guard<T>(statement: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new TypeError("a statement came after the end of its transaction");
    try {
      return await statement();
    } catch (error) {
      if (isServiceError(error, "db.conflict", "db.unreachable")) this.#failure = error;
      throw error;
    }
  }

  /** Before COMMIT: throws what broke the transaction, even if `work` caught it. */
  end(): void {
    this.close();
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#closed = true;
  }
}

function withoutOutcome(error: ServiceError): ServiceError {
  const { outcome: _outcome, ...facts } = error.facts;
  return new ServiceError(error.code, error.message, { facts, cause: error.cause });
}

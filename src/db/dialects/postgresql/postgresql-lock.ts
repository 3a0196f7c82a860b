// Named locks of PostgreSQL (advisory locks of a session): held by a connection of their own, gone with it. They are of one database.
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../../../core/errors.ts";
import type { AdvisoryLock } from "../../database.ts";
import { heldLock } from "../held-lock.ts";
import type { PostgresqlConnection } from "./postgresql-connection.ts";

/** Asked for again and again: a session that waits in the server holds a snapshot, and a concurrent index build would wait for it. */
const retryMs = 50;

/** Takes over `connection`: it ends with the lock. Throws schema.locked. */
export async function acquirePostgresqlLock(
  connection: PostgresqlConnection,
  options: { name: string; database: string; waitMsMax: number },
): Promise<AdvisoryLock> {
  const key = lockKey(options.database, options.name);
  try {
    const deadlineMs = performance.now() + options.waitMsMax;
    while (!(await tryLock(connection, key))) {
      if (performance.now() + retryMs > deadlineMs) throw await locked(connection, key, options);
      await sleep(retryMs);
    }
  } catch (error) {
    connection.end();
    throw error;
  }
  return heldLock(connection, options.name, () => connection.query(`select pg_advisory_unlock(${key})`));
}

async function tryLock(connection: PostgresqlConnection, key: bigint): Promise<boolean> {
  const [row] = await connection.query<{ got: boolean }>(`select pg_try_advisory_lock(${key}) as got`);
  return row?.got === true;
}

async function locked(
  connection: PostgresqlConnection,
  key: bigint,
  options: { name: string; waitMsMax: number },
): Promise<ServiceError> {
  // The server shows a key of 64 bits as two halves.
  const [high, low] = [BigInt.asUintN(32, key >> 32n), BigInt.asUintN(32, key)];
  const [holder] = await connection.query<{ pid: number }>(
    `select l.pid from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
     where l.locktype = 'advisory' and l.classid = ${high} and l.objid = ${low} and l.objsubid = 1 and l.granted`,
  );
  const by = holder === undefined ? "another process" : `backend ${holder.pid} of another process`;
  return new ServiceError(
    "schema.locked",
    `${by} holds the lock ${options.name}; wait until it is done and try again`,
    {
      facts: { name: options.name, connectionId: holder?.pid ?? null },
    },
  );
}

/** 64 bits, signed, as the server's functions take them. */
function lockKey(database: string, name: string): bigint {
  return createHash("sha256").update(`perennial.${database}.${name}`).digest().readBigInt64BE();
}

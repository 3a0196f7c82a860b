// Named locks of MySQL and MariaDB (GET_LOCK): held by a connection of their own, gone with it. On a Galera cluster they hold per node.
import { createHash } from "node:crypto";
import { ServiceError } from "../../../core/errors.ts";
import type { AdvisoryLock } from "../../database.ts";
import { heldLock } from "../held-lock.ts";
import type { MysqlConnection } from "./mysql-connection.ts";

/** Takes over `connection`: it ends with the lock. Throws schema.locked. */
export async function acquireMysqlLock(
  connection: MysqlConnection,
  options: { name: string; database: string; waitMsMax: number },
): Promise<AdvisoryLock> {
  const key = lockKey(options.database, options.name);
  try {
    const seconds = Math.ceil(options.waitMsMax / 1_000);
    const [row] = await connection.query<{ got: number | null }>("select get_lock(?, ?) as got", [key, seconds]);
    if (row?.got !== 1) throw await locked(connection, key, options);
  } catch (error) {
    connection.end();
    throw error;
  }
  return heldLock(connection, options.name, () => connection.query("select release_lock(?)", [key]));
}

async function locked(
  connection: MysqlConnection,
  key: string,
  options: { name: string; waitMsMax: number },
): Promise<ServiceError> {
  const [holder] = await connection.query<{ id: number | null }>("select is_used_lock(?) as id", [key]);
  const by = holder?.id == null ? "another process" : `connection ${holder.id} of another process`;
  return new ServiceError(
    "schema.locked",
    `${by} holds the lock ${options.name}; wait until it is done and try again`,
    {
      facts: { name: options.name, connectionId: holder?.id ?? null },
    },
  );
}

/** Names are of the whole server and at most 64 characters; case and accents do not tell them apart. */
function lockKey(database: string, name: string): string {
  const key = `perennial.${database}.${name}`;
  if (key.length <= 64 && /^[a-z0-9_.-]+$/.test(key)) return key;
  return `perennial.${createHash("sha256").update(key).digest("hex").slice(0, 48)}`;
}

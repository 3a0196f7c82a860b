// Named locks of MySQL and MariaDB (GET_LOCK): held by a connection of their own, gone with it. On a Galera cluster they hold per node.
import { createHash } from "node:crypto";
import { ServiceError } from "../../../core/errors.ts";
import type { AdvisoryLock } from "../../database.ts";
import type { MysqlConnection } from "./mysql-connection.ts";

/** Often enough that neither the server nor a firewall between takes the connection for forgotten, and that a loss shows. */
const checkEveryMs = 5_000;

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
  // isAlive destroys a connection that does not answer, and that aborts `gone`.
  const checks = setInterval(() => void connection.isAlive(), checkEveryMs).unref();
  const lost = new AbortController();
  let released = false;
  const onGone = () => {
    clearInterval(checks);
    if (!released)
      lost.abort(new ServiceError("db.unreachable", `the lock ${options.name} was lost with its connection`));
  };
  if (connection.gone.aborted) onGone();
  else connection.gone.addEventListener("abort", onGone, { once: true });
  return {
    lost: lost.signal,
    async release() {
      if (released) return;
      released = true;
      clearInterval(checks);
      // Asked for, not left to the end of the connection: who waits for the lock gets it before this returns.
      if (!connection.gone.aborted)
        await connection.query("select release_lock(?)", [key]).catch(() => connection.destroy());
      connection.end();
    },
  };
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

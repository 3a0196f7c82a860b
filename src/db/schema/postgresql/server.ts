// Which PostgreSQL this is, and what follows from its version.
import type { Queryable } from "../../database.ts";

export type PostgresqlServer = {
  /** 11, 12 ... 18: since 10 the first part alone says what a server can do. */
  readonly major: number;
  /** As the server says it. */
  readonly text: string;
  /** How long a lock is waited for before the server looks for a deadlock, or sends an autovacuum away that is in the way. */
  readonly deadlockMs: number;
};

/** ADD COLUMN with a default without a rebuild, and EXECUTE FUNCTION. */
export const majorMin = 11;

export async function readServer(db: Queryable): Promise<PostgresqlServer> {
  const [row] = await db.query<{ number: string; text: string; deadlock: string }>(
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS text,
       (SELECT setting FROM pg_settings WHERE name = 'deadlock_timeout') AS deadlock`,
  );
  return {
    major: Math.floor(Number(row?.number ?? 0) / 10_000),
    text: row?.text ?? "",
    deadlockMs: Number(row?.deadlock ?? 1_000),
  };
}

/** SET NOT NULL believes a proved CHECK, and does not read the table again. */
export function takesProofs({ major }: PostgresqlServer): boolean {
  return major >= 12;
}

/** pg_stat_progress_create_index. */
export function showsIndexBuilds({ major }: PostgresqlServer): boolean {
  return major >= 12;
}

/** A statement ends soon after the client that waits for it is gone. */
export function noticesLostClients({ major }: PostgresqlServer): boolean {
  return major >= 14;
}

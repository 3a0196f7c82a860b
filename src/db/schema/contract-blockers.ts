// Who would still need what contract removes: nodes that are alive and older than the target. Connections from hosts that no node
// of the registry explains (Glance's own nodes register nowhere) are reported; only the operator knows what they are.
import { type Release, releases } from "../../releases/catalogue.ts";
import type { Database, Dialect } from "../database.ts";
import { createGlanceRepository, type SeenGlance } from "../repositories/glance-repository.ts";
import { nodeLiveSeconds } from "./own-tables.ts";
import { presentTables } from "./schema-tools.ts";

export type LiveNode = {
  readonly name: string;
  readonly address: string;
  readonly release: string;
  readonly state: string;
  readonly secondsAgo: number;
  /** Of its requests, as it last reported; null where it had none. */
  readonly p99Ms: number | null;
};

/** Nodes with a recent heartbeat that have not stopped, nor only send out what they have begun, by the database's clock. */
export async function liveNodes(db: Database): Promise<readonly LiveNode[]> {
  if (!(await presentTables(db)).has("perennial_nodes")) return [];
  const since = db.dialect.secondsSinceSql("heartbeat_at");
  const rows = await db.query<{
    name: string;
    address: string;
    release_id: string;
    state: string;
    p99: unknown;
    s: number;
  }>(
    `SELECT name, address, release_id, state, p99_ms AS p99, ${since} AS s FROM perennial_nodes
     WHERE state NOT IN ('stopped', 'sending') AND ${since} < ${nodeLiveSeconds} ORDER BY name`,
  );
  return rows.map(({ name, address, release_id, state, p99, s }) => ({
    name,
    address,
    release: release_id,
    state,
    secondsAgo: Math.max(0, Math.round(Number(s))),
    p99Ms: p99 === null ? null : Number(p99),
  }));
}

/** Of the live nodes those that speak an older release than `target`, or one this version does not know. */
export async function olderNodes(db: Database, target: Release): Promise<readonly LiveNode[]> {
  return (await liveNodes(db)).filter((node) => isOlder(node.release, target));
}

/** Nodes of Glance that speak an older release: a rollout saw them alive, and none has seen them gone. */
export async function olderGlances(db: Database, target: Release): Promise<readonly SeenGlance[]> {
  return (await createGlanceRepository(db).living()).filter((node) => isOlder(node.release, target));
}

/** For people. */
export function glanceText({ name, address, release, told, secondsAgo }: SeenGlance): string {
  return `${name} at ${address} (${release}, ${told}, seen ${secondsAgo} s ago)`;
}

export function isOlder(id: string, target: Release): boolean {
  const order = releases.find((release) => release.id === id)?.order ?? -1;
  return order < target.order;
}

// Ours are left out, and with them everything of this machine under this user: they cannot be told apart.
const connectionQueries: Record<Dialect["name"], string | null> = {
  mysql: `SELECT p.user AS user, SUBSTRING_INDEX(p.host, ':', 1) AS host, COUNT(*) AS n
    FROM information_schema.processlist p
    JOIN (SELECT user, SUBSTRING_INDEX(host, ':', 1) AS host FROM information_schema.processlist WHERE id = CONNECTION_ID()) own
      ON p.user <> own.user OR SUBSTRING_INDEX(p.host, ':', 1) <> own.host
    WHERE p.db = DATABASE() GROUP BY p.user, SUBSTRING_INDEX(p.host, ':', 1) ORDER BY 2, 1`,
  sqlite: null,
  // From where a connection of another role comes is shown to members of pg_read_all_stats only.
  postgresql: `SELECT usename AS "user",
      CASE WHEN query = '<insufficient privilege>' THEN 'a host we may not see' ELSE COALESCE(host(client_addr), '') END AS host,
      COUNT(*) AS n
    FROM pg_stat_activity
    WHERE datname = current_database() AND usename IS NOT NULL AND pid <> pg_backend_pid()
      AND COALESCE(backend_type, 'client backend') = 'client backend'
      AND (usename <> current_user OR client_addr IS DISTINCT FROM inet_client_addr())
    GROUP BY 1, 2 ORDER BY 2, 1`,
};

/** One line per host whose connections no live node explains. */
export async function unknownConnections(db: Database): Promise<readonly string[]> {
  const sql = connectionQueries[db.dialect.name];
  if (sql === null) return [];
  const known = new Set((await liveNodes(db)).map((node) => node.address.replace(/:\d+$/, "")));
  const rows = await db.query<{ user: string; host: string; n: number }>(sql);
  // A node that shares our host, or reaches a database on its own, comes from a loopback name rather than its address.
  const isOurs = (host: string) => known.has(host) || (known.size > 0 && /^(localhost|127\.|::1|$)/.test(host));
  return rows
    .filter((row) => !isOurs(row.host))
    .map(
      (row) => `${row.n} connections of ${row.user} from ${row.host || "this machine"} belong to no registered node`,
    );
}
